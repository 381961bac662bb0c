//! What losses of a whole batch share: the values of all pairs, and from an anchor's slopes by these the gradients of
//! the rows.

use std::ops::Range;

use super::{
    Call, Divisor, Doubts, Evaluation,
    comparison::{Comparison, Pulled, Row, rows},
    largest_finite, reciprocal, total,
};
use crate::{
    DType, Error, Gradients, Hardest, Mining, Options, Reduction, out_of_range,
    spec::{Anchor, AnchorTerm, Anchors, Relation, Shape, Values},
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
        return Err(out_of_range::error(&call.values, &call.signature, call.signature.items, 0));
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
    let divisor = divisor(call, options, &counts);
    let scale = divisor.reciprocal();

    let mut pulled: Vec<Pulled> = rows.iter().map(|row| Pulled::nothing(row.x.len())).collect();
    let (mut scale_gradient, mut scale_magnitude) = (0.0, 0.0);
    for anchor in anchors.iter().filter(|anchor| anchor.term.items > 0) {
        let factor =
            share * scale * call.upstream(anchor.item) * call.weight.at(anchor.item) * options.gradient_scale();
        let mut by_scale = 0.0;
        for (other, value, slope) in anchor.sloped(&anchor.term.slopes, factor) {
            comparison.pull(slope, value, &rows[anchor.row], &rows[other], &mut pulled[anchor.row]);
            comparison.pull(slope, value, &rows[other], &rows[anchor.row], &mut pulled[other]);
            by_scale += slope * value;
        }
        scale_gradient += by_scale;
        scale_magnitude += by_scale.abs();
    }
    for (place, pulled) in pulled.iter_mut().enumerate().filter(|(place, _)| !call.is_kept(place % items)) {
        *pulled = Pulled::nothing(rows[place].x.len());
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
        let largest = largest_finite(gradient.iter().copied().chain([magnitude]));
        gradient_magnitudes.push(vec![largest; gradient.len()]);
        gradients.push((input.name, gradient));
    }
    if options.gradients == Gradients::Skip {
        gradients.clear();
        gradient_magnitudes.clear();
    }

    let sum = total(losses.iter().copied());
    let mut evaluation = Evaluation {
        magnitude: scale.abs() * total(magnitudes.iter().copied()),
        loss_magnitudes: magnitudes,
        loss: if options.reduction == Reduction::None { losses } else { vec![scale * sum] },
        shape: call.signature.loss_type(options.reduction).shape,
        items: counts.iter().sum(),
        gradients,
        gradient_magnitudes,
        mining: (batch.anchors != Anchors::Softmax).then(|| mining(&anchors)),
        hardest: options.statistics.hardest.then(|| hardest(&anchors)),
        condition: anchors.iter().map(|anchor| anchor.term.condition).fold(0.0, f64::max),
        ..Evaluation::nothing()
    };
    evaluation = divisor.of_evaluation(evaluation, call, options);
    if anchors.iter().any(|anchor| !anchor.term.doubt.is_none()) {
        evaluation.doubts = doubts(call, &comparison, &rows, &anchors, options, &evaluation);
    }
    Ok(evaluation)
}

/// What the sum over all items is divided by, where so many of each anchor count.
fn divisor(call: &Call, options: &Options, counts: &[u64]) -> Divisor {
    let counted =
        || counts.iter().enumerate().map(|(item, &count)| (item, count as f64)).filter(|(_, count)| *count > 0.0);
    match options.reduction {
        Reduction::None => Divisor::of(1.0),
        Reduction::Sum => Divisor::of(call.divisor),
        Reduction::Mean => Divisor::sum(counted().map(|(_, count)| count)),
        Reduction::WeightedMean => Divisor::sum(counted().map(|(item, count)| count * call.weight.at(item))),
        Reduction::BatchMean => Divisor::of(call.signature.batch as f64),
    }
}

/// What may be otherwise in an evaluation where rounding decides what anchors choose.
fn doubts(
    call: &Call,
    comparison: &Comparison,
    rows: &[Row],
    anchors: &[Compared],
    options: &Options,
    evaluation: &Evaluation,
) -> Doubts {
    let sum = |of: fn(&AnchorTerm) -> u64| anchors.iter().map(|anchor| of(&anchor.term)).sum();
    let by_item = |of: fn(&AnchorTerm) -> u64| {
        let mut counts = vec![0; call.items().len()];
        anchors.iter().for_each(|anchor| counts[anchor.item] += of(&anchor.term));
        divisor(call, options, &counts)
    };
    // By what part of itself a mean may change because it divides by another count.
    let (divided, doubtful) = (by_item(|term| term.items).sum.abs(), by_item(|term| term.doubt.items).magnitude);
    let change = match options.reduction {
        Reduction::Mean | Reduction::WeightedMean if divided > doubtful => doubtful / (divided - doubtful),
        Reduction::Mean | Reduction::WeightedMean => 1.0,
        Reduction::None | Reduction::Sum | Reduction::BatchMean => 0.0,
    };
    let scale = reciprocal(if divided == 0.0 { doubtful } else { divided }) * (1.0 + change);

    let mut loss: Vec<f64> = evaluation.loss.iter().map(|x| change * x.abs()).collect();
    let mut by_row: Vec<Vec<f64>> = rows.iter().map(|row| vec![0.0; row.x.len()]).collect();
    for anchor in anchors {
        let weight = scale * call.weight.at(anchor.item).abs();
        loss[if options.reduction == Reduction::None { anchor.item } else { 0 }] += weight * anchor.term.doubt.loss;
        let factor = weight * call.upstream(anchor.item) * options.gradient_scale();
        for (other, value, slope) in anchor.sloped(&anchor.term.doubt.slopes, factor) {
            for [a, b] in [[anchor.row, other], [other, anchor.row]] {
                let mut pulled = Pulled::nothing(rows[a].x.len());
                comparison.pull(slope, value, &rows[a], &rows[b], &mut pulled);
                by_row[a].iter_mut().zip(pulled.gradient(&rows[a])).for_each(|(sum, x)| *sum += x.abs());
            }
        }
    }
    // Rows are those of the first input, which losses that choose have alone.
    let mut gradients = vec![by_row.concat()];
    gradients.truncate(evaluation.gradients.len());
    for (doubts, (_, gradient)) in gradients.iter_mut().zip(&evaluation.gradients) {
        doubts.iter_mut().zip(gradient).for_each(|(doubt, x)| *doubt += change * x.abs());
    }
    Doubts {
        loss,
        gradients,
        items: sum(|term| term.doubt.items),
        triplets: sum(|term| term.doubt.triplets),
        active: sum(|term| term.doubt.active),
        hardest: anchors.iter().map(|anchor| anchor.term.doubt.hardest.clone()).collect(),
        ..Doubts::default()
    }
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
        let is_compared = |other: &usize| others.start + other != row && call.is_kept(item) && call.is_kept(*other);
        let (positives, negatives): (Vec<usize>, Vec<usize>) =
            (0..others.len()).filter(is_compared).partition(|&other| belongs(other));
        let values: Vec<f64> = rows[others.clone()].iter().map(|other| comparison.value(&rows[row], other)).collect();
        let term = loss(&Anchor { values: &values, positives: &positives, negatives: &negatives }, &call.values);
        Compared { item, row, others: others.clone(), values, positives, negatives, term }
    }
}

impl Compared {
    /// The places of the rows whose value has a slope among these, with the value and so many times the slope. Self is
    /// not compared, and what has no slope adds nothing.
    fn sloped<'a>(&'a self, slopes: &'a [f64], factor: f64) -> impl Iterator<Item = (usize, f64, f64)> + 'a {
        let values = self.others.clone().zip(&self.values).zip(slopes);
        values.map(move |((other, &value), &slope)| (other, value, factor * slope)).filter(|(.., slope)| *slope != 0.0)
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

/// What the anchors have found together.
fn mining(anchors: &[Compared]) -> Mining {
    let mean = |of: fn(&Compared) -> &Vec<usize>| {
        let values = || anchors.iter().flat_map(|anchor| of(anchor).iter().map(|&other| anchor.values[other]));
        (total(values()) * reciprocal(values().count() as f64)) as f32
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
