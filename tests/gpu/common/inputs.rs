//! Inputs for every loss of the catalogue.

use fastrand::Rng;
use wgloss::{
    DType, HostTensor, Loss, Named, Signature,
    spec::{Domain, Driver, Input, Kind, Shape, Values},
};

pub type Inputs = Named<HostTensor<'static>>;

/// The values that an input may have, for the loss's own parameters.
pub fn domain(loss: &dyn Loss, input: &Input) -> Domain {
    input.domain.resolve(&Values::new(loss.spec(), loss.values()).unwrap())
}

/// Inputs for a loss whose first input has this shape; the optional ones too if asked, except `upstream`. Their values
/// are within their domains, and none is special.
pub fn sample(loss: &dyn Loss, shape: &[usize], dtype: DType, optional: bool) -> Inputs {
    let mut rng = Rng::with_seed(7);
    let spec = loss.spec();
    let signature = Signature::of_shape(&Values::new(spec, loss.values()).unwrap(), shape).unwrap();
    let first = shape.first().copied().unwrap_or(1);
    let classes = match spec.driver {
        Driver::Elementwise | Driver::Boxes | Driver::Sum(_) | Driver::Layers(_) | Driver::Gram => 1,
        Driver::Rows(_) | Driver::Regions(_) | Driver::TopK(_) => shape[1],
        Driver::Linear(_) => *shape.last().unwrap(),
        Driver::Pairs | Driver::AllPairs(_) => 3,
        Driver::Sequences(_) => shape.get(1).copied().unwrap_or(1),
    };
    let given = spec.inputs.iter().filter(|input| optional || !input.optional);
    given
        .map(|input| {
            let shape = signature.shape_of(input);
            let domain = domain(loss, input);
            let sequences = shape.iter().product::<usize>().saturating_sub(1).max(1);
            let value = |index: usize| match input.shape {
                Shape::Offsets(_) => (first * index / sequences) as f64,
                Shape::Boxes => corner(index, &mut rng),
                Shape::ItemRows => of_teacher(domain, index % shape[1], &mut rng),
                _ => draw(domain, classes, &mut rng),
            };
            let values: Vec<f64> = (0..shape.iter().product()).map(value).collect();
            let dtype = if input.kind == Kind::Index { DType::I32 } else { dtype };
            (input.name.to_string(), tensor(&values, dtype, &shape))
        })
        .collect()
}

/// The inputs with some values of one of them changed.
pub fn changed(inputs: &Inputs, name: &str, changes: &[(usize, f64)]) -> Inputs {
    let change = |(known, given): (&str, &HostTensor<'static>)| {
        let mut values = given.to_f64();
        for &(index, value) in changes.iter().filter(|_| known == name) {
            values[index] = value;
        }
        (known.to_string(), tensor(&values, given.dtype(), given.shape()))
    };
    inputs.iter().map(change).collect()
}

/// A tensor of any storage type, each value rounded to it.
pub fn tensor(values: &[f64], dtype: DType, shape: &[usize]) -> HostTensor<'static> {
    if dtype.is_float() {
        return HostTensor::rounded(values, dtype, shape).unwrap();
    }
    let bytes: Vec<u8> = values.iter().flat_map(|&value| (value as i32).to_le_bytes()).collect();
    HostTensor::from_bytes(dtype, shape, bytes).unwrap()
}

fn draw(domain: Domain, classes: usize, rng: &mut Rng) -> f64 {
    let mut between = |low: f64, high: f64| low + (high - low) * rng.f64();
    match domain {
        Domain::Real => between(-3.0, 3.0),
        Domain::LogRate | Domain::LogScale | Domain::LogVariance => between(-2.0, 2.0),
        Domain::NonNegative | Domain::Weight | Domain::SignedWeight | Domain::ClassWeight | Domain::Divisor => {
            between(0.5, 2.0)
        }
        Domain::Count => between(0.0, 6.0).floor(),
        Domain::Probability => between(0.05, 0.95),
        Domain::LogProbability => between(-3.0, -0.05),
        Domain::Sign => between(-1.0, 1.0).signum(),
        Domain::Class | Domain::Label => between(0.0, classes as f64).floor(),
        Domain::Similar => between(0.0, 2.0).floor(),
        // What a mask leaves out is a matter of its own.
        Domain::Mask => 1.0,
        Domain::DistinctClasses
        | Domain::TargetBox
        | Domain::Offsets
        | Domain::Where(..)
        | Domain::WhereIs(..)
        | Domain::Activated => {
            unreachable!("drawn apart, or resolved")
        }
    }
}

/// What a teacher gives a row at a place: the first classes, with less than 1 together.
fn of_teacher(domain: Domain, place: usize, rng: &mut Rng) -> f64 {
    if domain == Domain::DistinctClasses { place as f64 } else { -1.0 - 1.5 * (place as f64 + rng.f64()) }
}

/// An element of boxes around the origin.
fn corner(index: usize, rng: &mut Rng) -> f64 {
    (0.25 + 0.75 * rng.f64()) * if index % 4 < 2 { -1.0 } else { 1.0 }
}
