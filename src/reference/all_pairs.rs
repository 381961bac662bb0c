//! What losses of a whole batch share: the values of all pairs, and from an anchor's slopes by these the gradients of
//! the rows.

use std::ops::Range;

use super::{Call, Evaluation, dot, reciprocal, weighed};
use crate::{
    DType, Error, Gradients, Hardest, Mining, Options, Reduction,
    spec::{Anchor, AnchorTerm, Anchors, Distance, Relation, Shape, Values},
};

/// Loss and gradients of a call.
pub(super) fn evaluate(
    call: &Call,
    loss: fn(&Anchor<'_>, &Values) -> AnchorTerm,
    options: &Options,
) -> Result<Evaluation, Error> {
    let spec = call.values.spec();
    let Some(batch) = spec.all_pairs() else { unreachable!("{} compares no rows of a batch", spec.name) };
    let comparison = Comparison::of(call);
    if comparison.is_beyond_f32() && !call.items().is_empty() {
        return Err(Error::target(spec, call.signature.items, 0));
    }
    let rows = rows(call, &comparison);
    let directions = directions(batch.relation, call.items().len());
    let share = reciprocal(directions.len() as f64);
    let anchors: Vec<Compared> = directions
        .iter()
        .flat_map(|direction| call.items().map(move |item| (direction, item)))
        .map(|(direction, item)| Compared::new(call, loss, batch.relation, &comparison, &rows, direction, item))
        .collect();

    // Of each item the loss, its magnitude and how often it counts.
    let items = call.items().len();
    let (mut losses, mut magnitudes, mut counts) = (vec![0.0; items], vec![0.0; items], vec![0; items]);
    for Compared { item, term, .. } in anchors.iter().filter(|anchor| anchor.term.items > 0) {
        let weight = share * call.weight.at(*item);
        losses[*item] += weight * term.loss;
        magnitudes[*item] += weight.abs() * term.magnitude;
        counts[*item] = term.items;
    }
    let count = |item: usize| counts[item] as f64;
    let counted = || call.items().filter(|&item| counts[item] > 0);
    let scale = reciprocal(match options.reduction {
        Reduction::None | Reduction::Sum => 1.0,
        Reduction::Mean => counted().map(count).sum(),
        Reduction::WeightedMean => counted().map(|item| count(item) * call.weight.at(item)).sum(),
        Reduction::BatchMean => call.signature.batch as f64,
    });

    let mut pulled: Vec<Pulled> = rows.iter().map(|row| Pulled::nothing(row.x.len())).collect();
    let (mut scale_gradient, mut scale_magnitude) = (0.0, 0.0);
    for Compared { item, row, others, values, term, .. } in anchors.iter().filter(|anchor| anchor.term.items > 0) {
        let upstream = scale * call.upstream(*item) * options.gradient_scale();
        let factor = share * call.weight.at(*item) * upstream;
        let mut by_scale = 0.0;
        for (other, (&value, slope)) in others.clone().zip(values.iter().zip(&term.slopes)) {
            let slope = factor * slope;
            // Self is not compared, and what has no slope adds nothing.
            if slope != 0.0 {
                comparison.pull(slope, value, &rows[*row], &rows[other], &mut pulled[*row]);
                comparison.pull(slope, value, &rows[other], &rows[*row], &mut pulled[other]);
                by_scale += slope * value;
            }
        }
        scale_gradient += by_scale;
        scale_magnitude += by_scale.abs();
    }
    let (mut gradients, mut gradient_magnitudes) = (Vec::new(), Vec::new());
    let mut parts =
        rows.chunks(call.signature.batch.max(1) as usize).zip(pulled.chunks(call.signature.batch.max(1) as usize));
    for (input, ty) in call.signature.differentiable() {
        // Of a row next to 0, the gradient of its direction is beyond f16.
        let most = match ty.dtype {
            DType::F16 if comparison.is_normalizing() => 65504.0,
            _ => f64::INFINITY,
        };
        let stored = |x: f64| if x.is_finite() { x.clamp(-most, most) } else { x };
        let (gradient, magnitude) = match input.shape {
            Shape::Embeddings => parts.next().map_or((Vec::new(), 0.0), |(rows, pulled)| {
                let gradient =
                    rows.iter().zip(pulled).flat_map(|(row, pulled)| pulled.gradient(row)).map(stored).collect();
                (gradient, pulled.iter().map(Pulled::magnitude).fold(0.0, f64::max))
            }),
            // The logarithm of what similarities are multiplied with: a value is its own derivative.
            _ => (vec![scale_gradient], scale_magnitude),
        };
        gradients.push((input.name, gradient));
        gradient_magnitudes.push(magnitude);
    }
    if options.gradients == Gradients::Skip {
        gradients.clear();
    }

    let sum: f64 = losses.iter().sum();
    let largest = |of: fn(&AnchorTerm) -> f64| anchors.iter().map(|anchor| of(&anchor.term)).fold(0.0, f64::max);
    Ok(Evaluation {
        magnitude: scale.abs() * magnitudes.iter().sum::<f64>(),
        largest_magnitude: magnitudes.iter().copied().fold(0.0, f64::max),
        loss: if options.reduction == Reduction::None { losses } else { vec![scale * sum] },
        terms: Vec::new(),
        shape: call.signature.loss_type(options.reduction).shape,
        items: counts.iter().sum(),
        gradients,
        gradient_magnitudes,
        log_sum_exp: Vec::new(),
        argmax: Vec::new(),
        correct: None,
        mining: (batch.anchors != Anchors::Softmax).then(|| mining(&anchors)),
        hardest: options.statistics.hardest.then(|| hardest(&anchors)),
        condition: largest(|term| term.condition),
        clearance: anchors.iter().map(|anchor| anchor.term.clearance).fold(f64::INFINITY, f64::min),
    })
}

/// One anchor and what became of it.
struct Compared {
    /// The item that it is, or is a part of.
    item: usize,
    /// Its place among all rows.
    row: usize,
    /// The places of the rows that it is compared with.
    others: Range<usize>,
    values: Vec<f64>,
    positives: Vec<usize>,
    negatives: Vec<usize>,
    term: AnchorTerm,
}

impl Compared {
    fn new(
        call: &Call,
        loss: fn(&Anchor<'_>, &Values) -> AnchorTerm,
        relation: Relation,
        comparison: &Comparison,
        rows: &[Row],
        Direction { anchors, others }: &Direction,
        item: usize,
    ) -> Self {
        let row = anchors.start + item;
        let belongs = |other: usize| match relation {
            Relation::Labelled => call.item(item)["labels"] == call.item(other)["labels"],
            Relation::Views => other == (item + others.len() / 2) % others.len(),
            Relation::Paired | Relation::PairedBothWays => other == item,
        };
        let is_self = |other: &usize| others.start + other == row;
        let (positives, negatives): (Vec<usize>, Vec<usize>) =
            (0..others.len()).filter(|other| !is_self(other)).partition(|&other| belongs(other));
        let values: Vec<f64> = rows[others.clone()].iter().map(|other| comparison.value(&rows[row], other)).collect();
        let term = loss(&Anchor { values: &values, positives: &positives, negatives: &negatives }, &call.values);
        Compared { item, row, others: others.clone(), values, positives, negatives, term }
    }
}

/// Which rows are anchors, and which they are compared with.
struct Direction {
    anchors: Range<usize>,
    others: Range<usize>,
}

/// The directions of comparison of so many items, by the places of the rows of all inputs.
fn directions(relation: Relation, items: usize) -> Vec<Direction> {
    let (first, second) = (0..items, items..2 * items);
    match relation {
        Relation::Labelled | Relation::Views => vec![Direction { anchors: first.clone(), others: first }],
        Relation::Paired => vec![Direction { anchors: first, others: second }],
        Relation::PairedBothWays => vec![
            Direction { anchors: first.clone(), others: second.clone() },
            Direction { anchors: second, others: first },
        ],
    }
}

/// An embedding, and its length: NaN if it is not finite, or has squares that count and are beyond f32.
struct Row<'a> {
    x: &'a [f64],
    length: f64,
}

/// The embeddings of all inputs, one input behind the other.
fn rows<'a>(call: &'a Call, comparison: &Comparison) -> Vec<Row<'a>> {
    let is_rows = |name: &str| {
        call.signature.differentiable().any(|(input, _)| input.name == name && input.shape == Shape::Embeddings)
    };
    let embeddings = call.inputs.iter().filter(|column| is_rows(column.name));
    let rows = embeddings.flat_map(|column| column.values.chunks(column.width));
    rows.map(|x| {
        let squares = dot(x, x);
        let is_known = squares.is_finite() && (comparison.is_of_directions() || (squares as f32).is_finite());
        Row { x, length: if is_known { squares.sqrt() } else { f64::NAN } }
    })
    .collect()
}

/// What the value of two rows is.
enum Comparison {
    Distance(Distance),
    /// The similarity, by unit vectors if so, times a scale.
    Similarity {
        normalize: bool,
        /// What shorter rows are divided by in place of their length.
        least_length: f64,
        scale: f64,
    },
}

impl Comparison {
    fn of(call: &Call) -> Self {
        let values = &call.values;
        if values.has("distance") {
            return Comparison::Distance(values.word("distance"));
        }
        let scale = match values.has("temperature") {
            true => values.number("temperature").recip(),
            false => call.item(0)["logit_scale"].exp(),
        };
        let (normalize, least_length) = (values.flag_or("normalize", true), values.number_or("norm_eps", 1e-12));
        Comparison::Similarity { normalize, least_length, scale }
    }

    /// Whether rows are brought to unit length.
    fn is_normalizing(&self) -> bool {
        matches!(self, Comparison::Similarity { normalize: true, .. })
    }

    /// Whether the lengths of rows are of no account.
    fn is_of_directions(&self) -> bool {
        self.is_normalizing() || matches!(self, Comparison::Distance(Distance::Cosine))
    }

    /// Whether f32 has no number for the scale of all values.
    fn is_beyond_f32(&self) -> bool {
        matches!(self, Comparison::Similarity { scale, .. } if (*scale as f32) == f32::INFINITY)
    }

    fn value(&self, a: &Row, b: &Row) -> f64 {
        let squares = || a.x.iter().zip(b.x).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        match self {
            _ if a.length.is_nan() || b.length.is_nan() => f64::NAN,
            Comparison::Distance(Distance::Euclidean) => squares().sqrt(),
            Comparison::Distance(Distance::SquaredEuclidean) => squares(),
            Comparison::Distance(Distance::Cosine) => 1.0 - dot(a.x, b.x) / self.divisor(a, b),
            Comparison::Similarity { scale, .. } => scale * dot(a.x, b.x) / self.divisor(a, b),
        }
    }

    /// What a dot product is divided by.
    fn divisor(&self, a: &Row, b: &Row) -> f64 {
        match self {
            Comparison::Distance(_) => (a.length * b.length).max(LEAST_PRODUCT),
            Comparison::Similarity { normalize: true, least_length: least, .. } => {
                a.length.max(*least) * b.length.max(*least)
            }
            Comparison::Similarity { normalize: false, .. } => 1.0,
        }
    }

    /// Adds slope·∂value/∂a.
    fn pull(&self, slope: f64, value: f64, a: &Row, b: &Row, pulled: &mut Pulled) {
        match self {
            // The slope of a distance of 0 is 0.
            Comparison::Distance(Distance::Euclidean) => {
                pulled.add_difference(if value == 0.0 { 0.0 } else { slope / value }, a, b);
            }
            Comparison::Distance(Distance::SquaredEuclidean) => pulled.add_difference(2.0 * slope, a, b),
            Comparison::Distance(Distance::Cosine) => {
                let depends = a.length * b.length > LEAST_PRODUCT;
                pulled.add_turn(-slope, 1.0 - value, self.divisor(a, b), depends, a, b);
            }
            &Comparison::Similarity { normalize: true, least_length, scale } => {
                let depends = a.length > least_length;
                let divisor = self.divisor(a, b);
                pulled.add_turn(slope * scale, dot(a.x, b.x) / divisor, divisor, depends, a, b);
            }
            &Comparison::Similarity { normalize: false, scale, .. } => pulled.add(slope * scale, b.x.iter().copied()),
        }
    }
}

/// What the product of two lengths is at least in a cosine.
const LEAST_PRODUCT: f64 = 1e-8;

/// The gradient of a row: a sum over its pairs, less a multiple of the row itself where only its direction matters.
struct Pulled {
    sum: Vec<f64>,
    along: f64,
}

impl Pulled {
    fn nothing(dimensions: usize) -> Self {
        Pulled { sum: vec![0.0; dimensions], along: 0.0 }
    }

    fn add(&mut self, factor: f64, x: impl Iterator<Item = f64>) {
        self.sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += factor * x);
    }

    fn add_difference(&mut self, factor: f64, a: &Row, b: &Row) {
        self.add(factor, a.x.iter().zip(b.x).map(|(a, b)| a - b));
    }

    /// Adds slope·∂/∂a of the cosine a·b/divisor, whose divisor depends on a or not.
    fn add_turn(&mut self, slope: f64, cosine: f64, divisor: f64, depends: bool, a: &Row, b: &Row) {
        // A zero vector has no direction that could turn.
        let has_direction = if a.length == 0.0 { 0.0 } else { 1.0 };
        self.add(slope * has_direction / divisor, b.x.iter().copied());
        if depends {
            self.along += slope * cosine / (a.length * a.length);
        }
    }

    fn gradient(&self, row: &Row) -> Vec<f64> {
        self.sum.iter().zip(row.x).map(|(sum, &x)| sum - weighed(self.along, x)).collect()
    }

    /// The largest magnitude before the difference, which may be far below.
    fn magnitude(&self) -> f64 {
        self.sum.iter().map(|x| x.abs()).fold(0.0, f64::max)
    }
}

/// What the anchors have found together.
fn mining(anchors: &[Compared]) -> Mining {
    let mean = |of: fn(&Compared) -> &Vec<usize>| {
        let values = || anchors.iter().flat_map(|anchor| of(anchor).iter().map(|&other| anchor.values[other]));
        (values().sum::<f64>() * reciprocal(values().count() as f64)) as f32
    };
    Mining {
        triplets: anchors.iter().map(|anchor| anchor.term.triplets).sum(),
        active: anchors.iter().map(|anchor| anchor.term.active).sum(),
        positive_distance: mean(|anchor| &anchor.positives),
        negative_distance: mean(|anchor| &anchor.negatives),
    }
}

fn hardest(anchors: &[Compared]) -> Hardest<Vec<i32>> {
    let of = |which: usize| {
        let rows = anchors.iter().map(|anchor| anchor.term.hardest);
        rows.map(|hardest| hardest.map_or(-1, |rows| rows[which] as i32)).collect()
    };
    Hardest { positive: of(0), negative: of(1) }
}
