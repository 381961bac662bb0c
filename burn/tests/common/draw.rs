//! Inputs for any loss of the catalogue.

use fastrand::Rng;
use wgloss::{
    DType, HostTensor, Named,
    spec::{Domain, Driver, Input, Kind, LossSpec, Shape, Values},
};

/// Classes of rows.
const CLASSES: usize = 5;

/// The required inputs of a loss, of a storage type.
pub fn inputs(spec: &'static LossSpec, dtype: DType, seed: u64) -> Named<HostTensor<'static>> {
    let values = spec.values(&[]).expect("defaults");
    let mut rng = Rng::with_seed(seed);
    let mut drawn = Named::new();
    for input in spec.inputs.iter().filter(|input| !input.optional) {
        let shape = shape(spec, input, &drawn);
        drawn = drawn.with(input.name, tensor(input, &values, dtype, &shape, &mut rng));
    }
    drawn
}

fn shape(spec: &LossSpec, input: &Input, drawn: &Named<HostTensor<'static>>) -> Vec<usize> {
    // `[N, C, d]` of regions, whose indices have no classes.
    let is_of_regions = spec.regions().is_some();
    match input.shape {
        Shape::Rows if is_of_regions => vec![2, 3, 7],
        Shape::Rows => vec![6, CLASSES],
        Shape::ItemRows => vec![6, 3],
        Shape::Boxes => vec![6, 4],
        Shape::Embeddings => vec![6, 5],
        Shape::Scalar => Vec::new(),
        Shape::Own => vec![4, 6],
        Shape::OwnOfBatch => vec![4, 3],
        Shape::OwnRows => vec![2, 3, 7],
        Shape::Like(other) => drawn.get(other).expect("it comes before").shape().to_vec(),
        Shape::Classes => vec![CLASSES],
        Shape::LastAxis => vec![5],
        Shape::Tokens => vec![12],
        Shape::TokenRows => {
            let has_head = spec.inputs.iter().any(|input| matches!(input.shape, Shape::Head(_)));
            vec![12, if has_head { 4 } else { CLASSES }]
        }
        Shape::Offsets(sequences) => vec![2 * usize::from(sequences) + 1],
        Shape::Hidden => vec![6, 4],
        Shape::Head(_) => vec![centers(spec) * CLASSES, 4],
        Shape::HeadClasses => vec![CLASSES],
        Shape::HeadRows => vec![6, CLASSES],
        Shape::Items | Shape::OneOrItems | Shape::Layers => {
            if spec.inputs.iter().any(|input| matches!(input.shape, Shape::Offsets(_))) {
                return vec![2];
            }
            use Shape::{Boxes, Embeddings, Hidden, Rows};
            let is_of_rows = matches!(spec.inputs[0].shape, Rows | Boxes | Embeddings | Hidden);
            if is_of_rows { vec![6] } else { vec![6, 5] }
        }
    }
}

/// Rows of a head that belong to a class.
fn centers(spec: &LossSpec) -> usize {
    match spec.driver {
        Driver::Linear(linear) => linear.cosine.map_or(1, |cosine| cosine.centers as usize),
        _ => 1,
    }
}

fn tensor(input: &Input, values: &Values, dtype: DType, shape: &[usize], rng: &mut Rng) -> HostTensor<'static> {
    let elements: usize = shape.iter().product();
    let domain = input.domain.resolve(values);
    if input.kind == Kind::Index {
        let sequences = elements as i32 - 1;
        let drawn: Vec<i32> = match input.shape {
            Shape::Offsets(_) => (0..=sequences).map(|i| 12 * i / sequences).collect(),
            _ => (0..elements as i32).map(|i| i % 3).collect(),
        };
        let bytes = drawn.iter().flat_map(|i| i.to_ne_bytes()).collect::<Vec<u8>>();
        return HostTensor::from_bytes(DType::I32, shape, bytes).expect("the shape fits");
    }
    let mut one = |i: usize| {
        let unit = rng.f64();
        match domain {
            // Of tokens that are less likely than they were, and should be more, nothing is clipped.
            _ if input.name == "advantage" => 0.1 + unit,
            _ if input.name == "old_log_prob" => -0.1 * unit - 0.01,
            Domain::Probability => 0.05 + 0.9 * unit,
            Domain::LogProbability => -3.0 * unit - 0.01,
            Domain::Sign => f64::from(rng.bool()) * 2.0 - 1.0,
            Domain::Similar => f64::from(rng.bool()),
            Domain::NonNegative | Domain::Weight | Domain::SignedWeight | Domain::ClassWeight => 0.1 + unit,
            Domain::Count => (4.0 * unit).floor(),
            _ if input.shape == Shape::Boxes => [0.0, 0.0, 2.0, 2.0][i % 4] + unit,
            _ => 3.0 * (2.0 * unit - 1.0),
        }
    };
    let drawn: Vec<f64> = (0..elements).map(&mut one).collect();
    HostTensor::rounded(&drawn, dtype, shape).expect("the shape fits")
}
