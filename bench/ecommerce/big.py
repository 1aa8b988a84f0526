"""UCI times `copies`, other invoices and customers in each: for timing."""
import sys, pyarrow as pa, pyarrow.parquet as pq, pyarrow.compute as pc
t=pq.read_table('out/order_lines.parquet'); n=int(sys.argv[1])
w=pq.ParquetWriter('big/order_lines.parquet',t.schema,compression='zstd',compression_level=1)
for k in range(n):
    u=t
    for c in ['line_id','invoice_id','customer_id']:
        i=u.schema.get_field_index(c)
        u=u.set_column(i,c,pc.binary_join_element_wise(u[c],pa.scalar(str(k)),'-'))
    w.write_table(u,row_group_size=1<<20)
w.close()
