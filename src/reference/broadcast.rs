//! Inputs that have fewer values than there are items: whose values they are, and the sums that their gradients are.

use crate::Signature;

/// The gradient of an input whose values serve several items each: a sum over these.
pub(super) struct SharedGradient {
    /// The input's axes; see [`Signature::broadcast_axes`].
    axes: Vec<usize>,
    /// What each of the sums is a sum of, without signs.
    magnitudes: Vec<f64>,
}

/// Of each gradient, whether it is such a sum.
pub(super) fn shared_gradients(signature: &Signature) -> Vec<Option<SharedGradient>> {
    let gradients = signature.differentiable().map(|(input, ty)| {
        let axes = signature.broadcast_axes(input.name)?;
        Some(SharedGradient { axes, magnitudes: vec![0.0; ty.elements() as usize] })
    });
    gradients.collect()
}

impl SharedGradient {
    /// Adds the gradient of an item, and the magnitude of what that is a difference of.
    pub fn add(&mut self, x: f64, magnitude: f64, item: usize, signature: &Signature, gradient: &mut [f64]) {
        let place = place(item, &self.axes, &signature.item_shape);
        gradient[place] += x;
        let size = x.abs().max(magnitude);
        self.magnitudes[place] += if size.is_finite() { size } else { 0.0 };
    }
}

/// Makes of the magnitudes of all gradients what rounding errors of such sums are relative to, at its largest.
pub(super) fn include_magnitudes(shared: &[Option<SharedGradient>], magnitudes: &mut [f64]) {
    for (largest, shared) in magnitudes.iter_mut().zip(shared) {
        let sums = shared.iter().flat_map(|shared| &shared.magnitudes);
        *largest = sums.copied().fold(*largest, f64::max);
    }
}

/// Where the value of each item lies in a tensor with these axes.
pub(super) fn places<'a>(axes: &'a [usize], signature: &'a Signature) -> impl Iterator<Item = usize> + 'a {
    (0..signature.items as usize).map(|item| place(item, axes, &signature.item_shape))
}

/// Where the value of an item lies: an axis of length 1 has the same value for all places on the items' axis.
fn place(item: usize, axes: &[usize], item_shape: &[usize]) -> usize {
    let (mut rest, mut place, mut stride) = (item, 0, 1);
    for (&own, &length) in axes.iter().zip(item_shape).rev() {
        place += if own == 1 { 0 } else { rest % length * stride };
        stride *= own;
        rest /= length;
    }
    place
}
