//! The engine's `sum`, of whole numbers and decimals with an error where it would wrap round.

use super::overflow::Origin;
use datafusion::arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowNumericType, AsArray, BooleanArray, PrimitiveArray,
};
use datafusion::arrow::compute::nullif;
use datafusion::arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType, FieldRef, Int64Type,
    UInt64Type, i256,
};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
};
use datafusion::physical_expr::NullState;
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckedSum {
    origin: Origin,
    engines: Arc<AggregateUDF>,
}

impl CheckedSum {
    pub fn new(origin: Origin) -> CheckedSum {
        CheckedSum { origin, engines: sum_udaf() }
    }

    /// Whether this is the engine's sum.
    pub fn replaces(function: &AggregateUDF) -> bool {
        *function == *sum_udaf()
    }

    fn sum<S: Summed>(&self, kind: &DataType) -> Sum<S> {
        Sum { sum: S::Wide::ZERO, count: 0, kind: kind.clone(), origin: self.origin.clone() }
    }

    /// None where the engine's own cannot overflow.
    fn plain(&self, kind: &DataType) -> Option<Box<dyn Accumulator>> {
        Some(match kind {
            DataType::Int64 => Box::new(self.sum::<Int64Type>(kind)),
            DataType::UInt64 => Box::new(self.sum::<UInt64Type>(kind)),
            DataType::Decimal32(..) => Box::new(self.sum::<Decimal32Type>(kind)),
            DataType::Decimal64(..) => Box::new(self.sum::<Decimal64Type>(kind)),
            DataType::Decimal128(..) => Box::new(self.sum::<Decimal128Type>(kind)),
            DataType::Decimal256(..) => Box::new(self.sum::<Decimal256Type>(kind)),
            _ => return None,
        })
    }

    fn groups<S: Summed>(&self, kind: &DataType) -> Box<dyn GroupsAccumulator> {
        let (sums, nulls) = (Vec::new(), NullState::new());
        Box::new(Groups::<S> { sums, nulls, kind: kind.clone(), origin: self.origin.clone() })
    }
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.engines.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engines.return_type(types)
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match self.plain(arguments.return_field.data_type()) {
            Some(sum) if arguments.is_distinct => {
                Ok(Box::new(DistinctSum { values: self.engines.accumulator(arguments)?, sum }))
            }
            Some(sum) => Ok(sum),
            None => self.engines.accumulator(arguments),
        }
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.engines.state_fields(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        self.engines.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let kind = arguments.return_field.data_type();
        Ok(match kind {
            DataType::Int64 => self.groups::<Int64Type>(kind),
            DataType::UInt64 => self.groups::<UInt64Type>(kind),
            DataType::Decimal32(..) => self.groups::<Decimal32Type>(kind),
            DataType::Decimal64(..) => self.groups::<Decimal64Type>(kind),
            DataType::Decimal128(..) => self.groups::<Decimal128Type>(kind),
            DataType::Decimal256(..) => self.groups::<Decimal256Type>(kind),
            _ => return self.engines.create_groups_accumulator(arguments),
        })
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match self.plain(arguments.return_field.data_type()) {
            Some(sum) if !arguments.is_distinct => Ok(sum),
            _ => self.engines.create_sliding_accumulator(arguments),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, kind: &DataType) -> SetMonotonicity {
        self.engines.inner().set_monotonicity(kind)
    }
}

/// A type of numbers that are summed in a wider one.
trait Summed: ArrowNumericType + Send + std::fmt::Debug {
    type Wide: ArrowNativeTypeOp;
    fn widened(value: Self::Native) -> Self::Wide;
    fn narrowed(value: Self::Wide) -> Option<Self::Native>;
    fn fits(value: Self::Native, kind: &DataType) -> bool;
}

macro_rules! summed {
    ($kind:ty, $wide:ty, $widened:expr, $narrowed:expr, $fits:expr) => {
        impl Summed for $kind {
            type Wide = $wide;

            fn widened(value: Self::Native) -> $wide {
                $widened(value)
            }

            fn narrowed(value: $wide) -> Option<Self::Native> {
                $narrowed(value)
            }

            fn fits(value: Self::Native, kind: &DataType) -> bool {
                $fits(value, kind)
            }
        }
    };
}

summed!(Int64Type, i128, i128::from, |value| i64::try_from(value).ok(), |_, _: &DataType| true);
summed!(UInt64Type, i128, i128::from, |value| u64::try_from(value).ok(), |_, _: &DataType| true);
summed!(Decimal32Type, i128, i128::from, |value| i32::try_from(value).ok(), has_digits::<Decimal32Type>);
summed!(Decimal64Type, i128, i128::from, |value| i64::try_from(value).ok(), has_digits::<Decimal64Type>);
summed!(Decimal128Type, i256, i256::from_i128, |value: i256| value.to_i128(), has_digits::<Decimal128Type>);
summed!(Decimal256Type, i256, |value| value, Some, has_digits::<Decimal256Type>);

fn has_digits<T: DecimalType>(value: T::Native, kind: &DataType) -> bool {
    match kind {
        DataType::Decimal32(precision, _)
        | DataType::Decimal64(precision, _)
        | DataType::Decimal128(precision, _)
        | DataType::Decimal256(precision, _) => T::is_valid_decimal_precision(value, *precision),
        _ => true,
    }
}

/// One sum, of all rows or of those in a window.
#[derive(Debug)]
struct Sum<S: Summed> {
    sum: S::Wide,
    count: u64,
    kind: DataType,
    origin: Origin,
}

impl<S: Summed> Sum<S> {
    fn each(
        &mut self,
        values: &[ArrayRef],
        act: impl Fn(S::Wide, S::Wide) -> std::result::Result<S::Wide, datafusion::arrow::error::ArrowError>,
    ) -> Result<u64> {
        let values = values[0].as_primitive::<S>();
        let mut sum = self.sum;
        for value in values.iter().flatten() {
            sum = act(sum, S::widened(value)).map_err(|_| self.origin.overflow(&self.kind))?;
        }
        self.sum = sum;
        Ok((values.len() - values.null_count()) as u64)
    }
}

impl<S: Summed> Accumulator for Sum<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count += self.each(values, S::Wide::add_checked)?;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count -= self.each(values, S::Wide::sub_checked)?;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let overflow = || self.origin.overflow(&self.kind);
        let fitting = || S::narrowed(self.sum).filter(|sum| S::fits(*sum, &self.kind)).ok_or_else(overflow);
        let sum = if self.count > 0 { Some(fitting()?) } else { None };
        ScalarValue::new_primitive::<S>(sum, &self.kind)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The sum of the different values that the engine's own gathers.
#[derive(Debug)]
struct DistinctSum {
    values: Box<dyn Accumulator>,
    sum: Box<dyn Accumulator>,
}

impl Accumulator for DistinctSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.values.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.values.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        for state in self.values.state()? {
            if let ScalarValue::List(list) = state {
                self.sum.update_batch(&[list.value(0)])?;
            }
        }
        self.sum.evaluate()
    }

    fn size(&self) -> usize {
        self.values.size() + self.sum.size()
    }
}

/// A sum for each group, in the type of the result: a wider one would take twice the memory.
struct Groups<S: Summed> {
    sums: Vec<S::Native>,
    nulls: NullState,
    kind: DataType,
    origin: Origin,
}

impl<S: Summed> GroupsAccumulator for Groups<S> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        groups_total: usize,
    ) -> Result<()> {
        let sums = &mut self.sums;
        sums.resize(groups_total, S::Native::ZERO);
        let mut overflowed = false;
        let add = |group: usize, value: S::Native| match sums[group].add_checked(value) {
            Ok(sum) => sums[group] = sum,
            Err(_) => overflowed = true,
        };
        self.nulls.accumulate(groups, values[0].as_primitive::<S>(), filter, groups_total, add);
        if overflowed { Err(self.origin.overflow(&self.kind)) } else { Ok(()) }
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        if !sums.iter().all(|sum| S::fits(*sum, &self.kind)) {
            return Err(self.origin.overflow(&self.kind));
        }
        let made = PrimitiveArray::<S>::new(sums.into(), self.nulls.build(emit_to));
        Ok(Arc::new(made.with_data_type(self.kind.clone())))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<()> {
        self.update_batch(states, groups, None, groups_total)
    }

    /// Each row is a group of its own: its value, or null where it is filtered out.
    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let own = values[0].as_primitive::<S>().clone().with_data_type(self.kind.clone());
        let Some(filter) = filter else { return Ok(vec![Arc::new(own)]) };
        let left_out: BooleanArray = filter.iter().map(|kept| Some(kept != Some(true))).collect();
        Ok(vec![nullif(&own, &left_out)?])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<S::Native>() + self.nulls.size()
    }
}
