"""Writes crates/learn/src/clv/lifetimes_expected.tsv: predictions of the Python package lifetimes 0.11.3 with the papers' parameters."""
import warnings; warnings.filterwarnings('ignore')
import pandas as pd, numpy as np
from lifetimes import BetaGeoFitter, ParetoNBDFitter, GammaGammaFitter
bg=BetaGeoFitter(); bg.params_=pd.Series(dict(r=.243,alpha=4.414,a=.793,b=2.426))
pa=ParetoNBDFitter(); pa.params_=pd.Series(dict(r=.553,alpha=10.578,s=.606,beta=11.669))
gg=GammaGammaFitter(); gg.params_=pd.Series(dict(p=6.25,q=3.74,v=15.44))
bg.predict=bg.conditional_expected_number_of_purchases_up_to_time
pa.predict=pa.conditional_expected_number_of_purchases_up_to_time
one=lambda v: float(np.ravel(v)[0])
with open('crates/learn/src/clv/lifetimes_expected.tsv','w') as o:
    o.write('# model, frequency, recency, age, mean value, alive, purchases in 39, purchases of a new customer by 39, expected value, lifetime value (12 months, 1 % a month, weeks): bench/clv_lifetimes.py\n')
    for x,tx,T,m in [(0,0,38.86,0),(1,1.71,38.86,30),(2,30.43,38.86,22.35),(7,29.43,38.86,73.74),(26,30,31,50)]:
        S=lambda v: pd.Series([v],dtype=float)
        for n,f in (('bg',bg),('pareto',pa)):
            v=[one(f.conditional_probability_alive(x,tx,T)),one(f.predict(39,x,tx,T)),one(f.expected_number_of_purchases_up_to_time(39)),
               one(gg.conditional_expected_average_profit(S(x),S(m)))]
            try: v.append(one(gg.customer_lifetime_value(f,S(x),S(tx),S(T),S(m),time=12,discount_rate=.01,freq='W')))
            except Exception as e: print(repr(e)); v.append(float('nan'))
            o.write('\t'.join([n,str(x),str(tx),str(T),str(m)]+[repr(k) for k in v])+'\n')
