//! Inputs that have fewer values than there are items: whose values they are, and the sums that their gradients are.

use crate::Signature;

/// Of each input with a gradient, its axes where its values serve several items each, whose gradients are summed; see
/// [`Signature::broadcast_axes`].
pub(super) fn shared_axes(signature: &Signature) -> Vec<Option<Vec<usize>>> {
    signature.differentiable().map(|(input, _)| signature.broadcast_axes(input.name)).collect()
}

/// Where the value of each item lies in a tensor with these axes.
pub(super) fn places<'a>(axes: &'a [usize], signature: &'a Signature) -> impl Iterator<Item = usize> + 'a {
    (0..signature.items as usize).map(|item| place(item, axes, &signature.item_shape))
}

/// Where the value of an item lies: an axis of length 1 has the same value for all places on the items' axis.
pub(super) fn place(item: usize, axes: &[usize], item_shape: &[usize]) -> usize {
    let (mut rest, mut place, mut stride) = (item, 0, 1);
    for (&own, &length) in axes.iter().zip(item_shape).rev() {
        place += if own == 1 { 0 } else { rest % length * stride };
        stride *= own;
        rest /= length;
    }
    place
}
