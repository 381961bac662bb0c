//! Values as tensors store them.

use crate::{DType, Error, HostTensor};

/// A tensor of values, rounded to floats or whole already.
pub(super) fn of_values(values: &[f64], dtype: DType, shape: &[usize]) -> Result<HostTensor<'static>, Error> {
    if dtype.is_float() {
        return HostTensor::rounded(values, dtype, shape);
    }
    let whole: Vec<i32> = values.iter().map(|&value| value as i32).collect();
    HostTensor::from_bytes(dtype, shape, bytemuck::pod_collect_to_vec::<i32, u8>(&whole))
}
