//! What the losses are computed of. `pytorch.py` draws its inputs alike.

use wgloss::{
    AnyLoss, DType, Error, HostTensor, Loss, Named,
    bench::Case,
    spec::{Domain, Driver, LossSpec, Shape, Values},
};

/// Inputs by their names.
pub type Inputs = Named<HostTensor<'static>>;

/// About so many rows of a batch have the same label.
const ROWS_A_CLASS: u64 = 8;

/// The inputs that a loss needs, the first of this shape and its floats stored as `dtype`. The shape of a loss with a
/// head has the classes behind that. A function of a value per class gets an upstream gradient besides.
pub fn draw(loss: &AnyLoss, shape: &[usize], dtype: DType) -> Result<Inputs, Error> {
    let spec = loss.spec();
    let values = Values::new(spec, loss.values())?;
    let has_head = matches!(spec.driver, Driver::Linear(_));
    let classes = if has_head { shape.last() } else { shape.get(1) }.map_or(1, |&classes| classes.max(1));
    let case = Case { loss: loss.clone(), shape: shape.to_vec(), dtype, origin: String::new() };
    let mut rng = fastrand::Rng::with_seed(1);
    let mut inputs = Inputs::new();
    for (name, ty) in case.types()?.iter() {
        let length = ty.elements();
        let tensor = if ty.dtype == DType::I32 {
            let is_label = spec.input(name).is_some_and(|input| input.domain == Domain::Label);
            let classes = if is_label { (length / ROWS_A_CLASS).max(1) } else { classes as u64 };
            let bytes: Vec<u8> = (0..length).flat_map(|_| rng.i32(0..classes as i32).to_le_bytes()).collect();
            HostTensor::from_bytes(DType::I32, ty.shape.clone(), bytes)?
        } else {
            let drawn: Vec<f64> = match spec.input(name) {
                Some(input) if input.shape == Shape::Boxes => {
                    let boxes = (0..length.div_ceil(4)).flat_map(|_| draw_box(input.differentiable, &mut rng));
                    boxes.take(length as usize).collect()
                }
                _ => {
                    let distribution = Distribution::of(spec, name, &values, classes);
                    (0..length).map(|_| distribution.draw(&mut rng)).collect()
                }
            };
            HostTensor::rounded(&drawn, ty.dtype, ty.shape.clone())?
        };
        inputs = inputs.with(name, tensor);
    }
    Ok(inputs)
}

/// A box in the unit square. Its corners are multiples of 1/4096, odd ones of a prediction and even ones of a target:
/// their differences are exact in f32, and none is 0, where libraries differ in the gradient.
fn draw_box(is_prediction: bool, rng: &mut fastrand::Rng) -> [f64; 4] {
    let low = [(); 2].map(|()| 2 * rng.i32(0..1024) + i32::from(is_prediction));
    let high = low.map(|low| low + 2 * rng.i32(205..1024));
    [low[0], low[1], high[0], high[1]].map(|corner| f64::from(corner) / 4096.0)
}

/// How the values of an input are spread.
enum Distribution {
    /// Evenly between two values.
    Uniform(f64, f64),
    /// Multiples of 3/4096 between −4 and 4. Their differences are exact in f32, and none is ±1: at the kink of a loss
    /// rounding would decide on the gradient.
    Grid,
    /// Multiples of 1/1024 between −181/1024 and 181/1024: rows of 128 are about as long as 1. The squares of their
    /// distances are exact in f32, so that no rounding decides which is the nearest; and no distances differ by 1, the
    /// margin, where rounding would decide which triplets have a loss.
    FineGrid,
    /// Multiples of 1/1024 between −64/1024 and 64/1024: the weights of a head as it is before it has learnt.
    Weights,
    /// Always this one.
    Constant(f64),
    /// Whole numbers from 0 to this one.
    Count(u8),
    /// One of two values.
    Either(f64, f64),
}

impl Distribution {
    fn of(spec: &LossSpec, input: &str, values: &Values, classes: usize) -> Self {
        let Some(input) = spec.input(input) else { return Distribution::Grid };
        match (spec.driver, input.shape) {
            (Driver::AllPairs(_), Shape::Embeddings) => return Distribution::FineGrid,
            (_, Shape::Head(_)) => return Distribution::Weights,
            (Driver::AllPairs(_), Shape::Scalar) => return Distribution::Constant((1.0_f64 / 0.07).ln()),
            _ => {}
        }
        match input.domain.resolve(values) {
            Domain::LogRate => Distribution::Uniform(-2.0, 2.0),
            Domain::NonNegative => Distribution::Uniform(0.5, 2.0),
            Domain::LogProbability => Distribution::Uniform(-8.0, -0.1),
            Domain::Count => Distribution::Count(4),
            Domain::Sign => Distribution::Either(-1.0, 1.0),
            // Probabilities that are predicted; those of all classes, which add up to about 1; and labels.
            Domain::Probability if input.differentiable => Distribution::Uniform(0.05, 0.95),
            Domain::Probability if ["kl_div", "cross_entropy_soft"].contains(&spec.name) => {
                Distribution::Uniform(0.0, 2.0 / classes as f64)
            }
            Domain::Probability => Distribution::Either(0.0, 1.0),
            _ => Distribution::Grid,
        }
    }

    fn draw(&self, rng: &mut fastrand::Rng) -> f64 {
        match *self {
            Distribution::Uniform(low, high) => low + (high - low) * rng.f64(),
            Distribution::Grid => f64::from(rng.i32(-5461..=5461)) * 3.0 / 4096.0,
            Distribution::FineGrid => f64::from(rng.i32(-181..=181)) / 1024.0,
            Distribution::Weights => f64::from(rng.i32(-64..=64)) / 1024.0,
            Distribution::Constant(value) => value,
            Distribution::Count(most) => rng.u8(0..=most).into(),
            Distribution::Either(one, other) => [one, other][usize::from(rng.bool())],
        }
    }
}
