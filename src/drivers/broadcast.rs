//! Broadcasting, as array libraries have it: axes are aligned from the last one, and where a tensor has an axis of
//! length 1 or none, its value there is that of every place on the axis.

use crate::{
    DType, Error, Named, TensorType,
    kernel::Block,
    spec::{Input, LossSpec, Shape, WEIGHT},
};

/// The common shape of two, if they have one.
pub(crate) fn common(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let axes = a.len().max(b.len());
    let pairs = padded(a, axes).into_iter().zip(padded(b, axes));
    let longer = |(a, b): (usize, usize)| match (a, b) {
        (a, b) if a == b => Some(a),
        (1, b) => Some(b),
        (a, 1) => Some(a),
        _ => None,
    };
    pairs.map(longer).collect()
}

/// Whether a tensor of this shape has a value for every place of another.
pub(crate) fn fits(shape: &[usize], to: &[usize]) -> bool {
    common(shape, to).is_some_and(|common| common == to)
}

/// The shape with axes of length 1 in front, up to so many.
pub(crate) fn padded(shape: &[usize], axes: usize) -> Vec<usize> {
    let mut padded = vec![1; axes.saturating_sub(shape.len())];
    padded.extend_from_slice(shape);
    padded
}

/// What messages say of an input that is broadcast to a shape.
pub(super) fn or_broadcast(shape: &[usize]) -> String {
    format!("{shape:?}, or the same from the last axis on with axes of length 1")
}

/// Whether a tensor of this shape has one value.
pub(super) fn is_one(shape: &[usize]) -> bool {
    shape.iter().all(|&length| length == 1)
}

/// The axes of an input as they are aligned with those of the others: one that may lack the first input's last axis
/// and does has it with the length 1. `None` for one that lacks other axes.
pub(super) fn aligned(input: &Input, shape: &[usize], first: &[usize]) -> Option<Vec<usize>> {
    if !input.may_lack_last_axis || is_one(shape) || shape.len() >= first.len() {
        return Some(shape.to_vec());
    }
    (*shape == first[..first.len() - 1]).then(|| [shape, &[1]].concat())
}

/// The common shape of a loss's own inputs, to which each is broadcast; the first has this one.
pub(super) fn common_shape(spec: &LossSpec, given: &Named<TensorType>, first: Vec<usize>) -> Result<Vec<usize>, Error> {
    let own = spec.inputs.iter().filter(|input| input.shape == Shape::Items && input.name != WEIGHT.name);
    let own: Vec<(&Input, &TensorType)> = own.filter_map(|input| Some((input, given.get(input.name)?))).collect();
    let refused = |(input, ty): &(&'static Input, &TensorType), expected| Error::Shape {
        loss: spec.name,
        tensor: input.name,
        expected,
        found: ty.shape.clone(),
    };
    let mut shape = first.clone();
    for input in &own {
        let common = aligned(input.0, &input.1.shape, &first).and_then(|own| common(&shape, &own));
        shape = common.ok_or_else(|| refused(input, or_broadcast(&shape)))?;
    }
    // [N, 1] and [N] would be [N, N], which is hardly ever meant; [N, 1] and [1, N] say so.
    let several: Vec<_> = own.iter().filter(|(_, ty)| !is_one(&ty.shape)).collect();
    let is_common =
        |(_, ty): &&&(&Input, &TensorType)| ty.elements() == TensorType::new(DType::F32, &shape[..]).elements();
    if let Some(first) = several.first().filter(|_| several.iter().find(is_common).is_none()) {
        let axes = first.1.shape.len();
        if let Some(other) = several.iter().find(|(_, ty)| ty.shape.len() != axes) {
            let what =
                format!("of {axes} axes, as `{}` has, where both are to be broadcast to {shape:?}", first.0.name);
            return Err(refused(other, what));
        }
    }
    Ok(shape)
}

/// How the elements of a smaller tensor lie in a larger shape: its axes from the outermost, neighbours of one kind
/// joined. Of two neighbours one has the tensor's own length, and the other it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spread(Vec<Axis>);

/// An axis of the larger shape, or several as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub length: u64,
    /// Whether the smaller tensor has it too.
    pub kept: bool,
}

/// An axis that the smaller tensor has: how many elements of the larger shape lie between two places on it, how long it
/// is, and how many elements of the smaller tensor lie between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stride {
    pub inner: u64,
    pub length: u64,
    pub step: u64,
}

impl Spread {
    /// A shape in a larger one of as many axes.
    pub fn new(shape: &[usize], to: &[usize]) -> Self {
        let mut axes: Vec<Axis> = Vec::new();
        for (own, length) in shape.iter().zip(to).filter(|(_, length)| **length != 1) {
            let axis = Axis { length: *length as u64, kept: own == length };
            match axes.last_mut().filter(|last| last.kept == axis.kept) {
                Some(last) => last.length *= axis.length,
                None => axes.push(axis),
            }
        }
        Spread(axes)
    }

    /// All axes.
    pub fn axes(&self) -> &[Axis] {
        &self.0
    }

    /// The axes that the smaller tensor has, from the outermost.
    pub fn strides(&self) -> Vec<Stride> {
        let (mut inner, mut step) = (1, 1);
        let mut strides = Vec::new();
        for axis in self.0.iter().rev() {
            if axis.kept {
                strides.push(Stride { inner, length: axis.length, step });
                step *= axis.length;
            }
            inner *= axis.length;
        }
        strides.reverse();
        strides
    }

    /// The largest number that kernels have words for.
    pub fn largest_word(&self) -> u64 {
        let inner = self.strides().into_iter().map(|stride| stride.inner);
        inner.chain(self.0.iter().map(|axis| axis.length)).max().unwrap_or(0)
    }

    /// The places of the elements of `quad`, a vector in WGSL, in terms of the words of [`Spread::fill`].
    pub fn places(&self, name: &str) -> String {
        let strides = self.strides();
        let term = |(number, stride): (usize, &Stride)| {
            let word = |word: &str| format!("call.{name}_{word}_{number}");
            let (start, length) = (word("start"), word("length"));
            if stride.inner == 1 {
                return format!("places_along(quad, {start}, {length})");
            }
            let place = format!("places_across(quad, {}, {}, {start}, {length})", word("offset"), word("inner"));
            if number + 1 == strides.len() { place } else { format!("{} * {place}", word("step")) }
        };
        let terms: Vec<String> = strides.iter().enumerate().map(term).collect();
        if terms.is_empty() { "vec4<u32>()".to_string() } else { terms.join(" + ") }
    }

    /// Adds the words of a chunk that begins with the element `first`.
    pub fn fill(&self, name: &str, first: u64, words: &mut Block) {
        let strides = self.strides();
        for (number, &Stride { inner, length, step }) in strides.iter().enumerate() {
            let mut word = |word: &str, value: u64| words.push(format!("{name}_{word}_{number}"), value as u32);
            word("start", first / inner % length.max(1));
            word("length", length);
            if inner != 1 {
                word("offset", first % inner);
                word("inner", inner);
                if number + 1 < strides.len() {
                    word("step", step);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_the_common_shape_that_array_libraries_give_them() {
        type Shape = &'static [usize];
        let cases: [(Shape, Shape, Option<Shape>); 10] = [
            (&[3, 5], &[3, 5], Some(&[3, 5])),
            (&[3, 5], &[5], Some(&[3, 5])),
            (&[5], &[3, 1], Some(&[3, 5])),
            (&[2, 1, 5], &[3, 1], Some(&[2, 3, 5])),
            (&[], &[3], Some(&[3])),
            (&[1], &[], Some(&[1])),
            (&[0], &[1], Some(&[0])),
            (&[0], &[2], None),
            (&[3, 5], &[3], None),
            (&[3, 5], &[2, 5], None),
        ];
        for (a, b, expected) in cases {
            assert_eq!(common(a, b).as_deref(), expected, "{a:?} and {b:?}");
            assert_eq!(common(b, a).as_deref(), expected, "{b:?} and {a:?}");
        }
        assert!(fits(&[1, 5], &[3, 5]) && !fits(&[3, 5], &[5]));
    }

    #[test]
    fn neighbours_of_one_kind_are_one_axis() {
        let spread = Spread::new(&[1, 2, 3, 1, 1, 7], &[4, 2, 3, 5, 1, 7]);
        let axis = |length, kept| Axis { length, kept };
        assert_eq!(spread.axes(), [axis(4, false), axis(6, true), axis(5, false), axis(7, true)]);
        let strides = [Stride { inner: 35, length: 6, step: 7 }, Stride { inner: 1, length: 7, step: 1 }];
        assert_eq!(spread.strides(), strides);
        assert_eq!(Spread::new(&[1, 1], &[3, 5]).strides(), []);
    }
}
