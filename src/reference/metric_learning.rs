//! Metric learning over a whole batch, as in [`losses`](crate::losses): an anchor's loss from its values with all other
//! rows, one function per loss. [`evaluate`] does what they share: the values of all pairs, and from the slopes by
//! these the gradients of the rows.

use std::ops::Range;

use super::{
    Call, Evaluation,
    binary::{sigmoid, softplus},
    reciprocal,
    softmax::*,
};
use crate::{
    Error, Gradients, Hardest, Mining, Options, Reduction,
    spec::{Anchor, AnchorTerm, Anchors, Average, Distance, Fallback, Relation, Shape, Triplets, Values},
};

impl Anchor<'_> {
    /// The rows that it is compared with.
    fn others(&self) -> impl Iterator<Item = usize> + '_ {
        self.positives.iter().chain(self.negatives).copied()
    }

    /// An anchor that does not count.
    fn nothing(&self) -> AnchorTerm {
        AnchorTerm {
            loss: 0.0,
            slopes: vec![0.0; self.values.len()],
            items: 0,
            triplets: 0,
            active: 0,
            hardest: None,
            magnitude: 0.0,
            condition: 0.0,
            clearance: f64::INFINITY,
        }
    }

    /// So many items of an anchor of which a value is not finite: none of them is known to have no loss.
    fn poisoned(&self, items: usize) -> Option<AnchorTerm> {
        if self.others().all(|other| self.values[other].is_finite()) {
            return None;
        }
        let items = items as u64;
        let mut term =
            AnchorTerm { loss: f64::NAN, items, triplets: items, active: items, magnitude: f64::NAN, ..self.nothing() };
        self.others().for_each(|other| term.slopes[other] = f64::NAN);
        Some(term)
    }
}

impl AnchorTerm {
    /// Adds the loss of an active triplet, and its slope by the difference of the distances of these rows.
    fn add(&mut self, [positive, negative]: [usize; 2], loss: f64, slope: f64) {
        self.active += 1;
        self.loss += loss;
        self.slopes[positive] += slope;
        self.slopes[negative] -= slope;
    }
}

/// Loss and gradients of a call.
pub(super) fn evaluate(
    call: &Call,
    loss: fn(&Anchor<'_>, &Values) -> AnchorTerm,
    options: &Options,
) -> Result<Evaluation, Error> {
    let spec = call.values.spec();
    let Some(batch) = spec.all_pairs() else { unreachable!("{} compares no rows of a batch", spec.name) };
    let comparison = Comparison::of(call);
    let rows = rows(call);
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
    for (input, _) in call.signature.differentiable() {
        let (gradient, magnitude) = match input.shape {
            Shape::Embeddings => parts.next().map_or((Vec::new(), 0.0), |(rows, pulled)| {
                let gradient = rows.iter().zip(pulled).flat_map(|(row, pulled)| pulled.gradient(row)).collect();
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

/// An embedding, and its length: NaN if its squares are beyond f32.
struct Row<'a> {
    x: &'a [f64],
    length: f64,
}

/// The embeddings of all inputs, one input behind the other.
fn rows(call: &Call) -> Vec<Row<'_>> {
    let is_rows = |name: &str| {
        call.signature.differentiable().any(|(input, _)| input.name == name && input.shape == Shape::Embeddings)
    };
    let embeddings = call.inputs.iter().filter(|column| is_rows(column.name));
    let rows = embeddings.flat_map(|column| column.values.chunks(column.width));
    rows.map(|x| {
        let squares = dot(x, x);
        Row { x, length: if (squares as f32).is_finite() { squares.sqrt() } else { f64::NAN } }
    })
    .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// What the value of two rows is.
enum Comparison {
    Distance(Distance),
    /// The similarity, by unit vectors if so, times a scale.
    Similarity {
        normalize: bool,
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
        Comparison::Similarity { normalize: values.flag_or("normalize", true), scale }
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
            Comparison::Similarity { normalize: true, .. } => a.length.max(LEAST_LENGTH) * b.length.max(LEAST_LENGTH),
            Comparison::Similarity { normalize: false, .. } => 1.0,
        }
    }

    /// Adds slope·∂value/∂a.
    fn pull(&self, slope: f64, value: f64, a: &Row, b: &Row, pulled: &mut Pulled) {
        match self {
            // The slope of a distance of 0 is 0.
            Comparison::Distance(Distance::Euclidean) => pulled.add_difference(slope * reciprocal(value), a, b),
            Comparison::Distance(Distance::SquaredEuclidean) => pulled.add_difference(2.0 * slope, a, b),
            Comparison::Distance(Distance::Cosine) => {
                let depends = a.length * b.length > LEAST_PRODUCT;
                pulled.add_turn(-slope, 1.0 - value, self.divisor(a, b), depends, a, b);
            }
            &Comparison::Similarity { normalize: true, scale } => {
                let depends = a.length > LEAST_LENGTH;
                pulled.add_turn(slope * scale, value / scale, self.divisor(a, b), depends, a, b);
            }
            &Comparison::Similarity { normalize: false, scale } => pulled.add(slope * scale, b.x.iter().copied()),
        }
    }
}

/// What the product of two lengths is at least in a cosine.
const LEAST_PRODUCT: f64 = 1e-8;

/// What a length is at least where a row is divided by it.
const LEAST_LENGTH: f64 = 1e-12;

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
        self.sum.iter().zip(row.x).map(|(sum, x)| sum - self.along * x).collect()
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

/// [`TripletBatchHard`](crate::losses::TripletBatchHard).
pub fn triplet_batch_hard(anchor: &Anchor<'_>, values: &Values) -> AnchorTerm {
    let [farthest, nearest] = [farthest(anchor.values, anchor.positives), nearest(anchor.values, anchor.negatives)];
    let (Some(positive), Some(negative)) = (farthest, nearest) else { return anchor.nothing() };
    if let Some(term) = anchor.poisoned(1) {
        return term;
    }
    let mut term = AnchorTerm { items: 1, triplets: 1, hardest: Some([positive, negative]), ..anchor.nothing() };
    let triplet = Triplet::new(anchor, values, positive, negative);
    if values.flag("soft_margin") {
        let x = triplet.positive - triplet.negative;
        term.add([positive, negative], softplus(x), sigmoid(x));
        term.magnitude = term.loss;
        term.condition = triplet.sizes;
    } else {
        triplet.add_hinge(&mut term, [positive, negative]);
    }
    let others = anchor.positives.iter().map(|&p| (p, positive)).chain(anchor.negatives.iter().map(|&n| (n, negative)));
    let gaps = others.map(|(other, chosen)| gap(values, anchor.values[other], anchor.values[chosen]));
    term.clearance = gaps.fold(term.clearance, f64::min);
    term
}

/// [`TripletSemiHard`](crate::losses::TripletSemiHard).
pub fn triplet_semi_hard(anchor: &Anchor<'_>, values: &Values) -> AnchorTerm {
    let Some(farthest) = farthest(anchor.values, anchor.negatives) else { return anchor.nothing() };
    if let Some(term) = anchor.poisoned(anchor.positives.len()) {
        return term;
    }
    let mut term = anchor.nothing();
    for &positive in anchor.positives {
        let is_farther = |&n: &usize| anchor.values[n] > anchor.values[positive];
        let farther: Vec<usize> = anchor.negatives.iter().copied().filter(is_farther).collect();
        let (negative, candidates) = match nearest(anchor.values, &farther) {
            Some(nearest) => (nearest, &farther[..]),
            None if values.word::<Fallback>("fallback") == Fallback::Farthest => (farthest, anchor.negatives),
            None => continue,
        };
        term.items += 1;
        term.triplets += 1;
        Triplet::new(anchor, values, positive, negative).add_hinge(&mut term, [positive, negative]);
        let gaps = candidates.iter().map(|&n| gap(values, anchor.values[n], anchor.values[negative]));
        term.clearance = gaps.fold(term.clearance, f64::min);
    }
    let pairs = anchor.positives.iter().flat_map(|&p| anchor.negatives.iter().map(move |&n| (p, n)));
    let gaps = pairs.map(|(p, n)| gap(values, anchor.values[p], anchor.values[n]));
    term.clearance = gaps.fold(term.clearance, f64::min);
    term
}

/// [`TripletBatchAll`](crate::losses::TripletBatchAll).
pub fn triplet_batch_all(anchor: &Anchor<'_>, values: &Values) -> AnchorTerm {
    if let Some(term) = anchor.poisoned(anchor.positives.len() * anchor.negatives.len()) {
        return term;
    }
    let (triplets, margin) = (values.word("triplets"), values.number("margin"));
    let mut term = anchor.nothing();
    for &positive in anchor.positives {
        for &negative in anchor.negatives {
            let triplet = Triplet::new(anchor, values, positive, negative);
            let farther = triplet.negative - triplet.positive;
            let is_selected = match triplets {
                Triplets::All => true,
                Triplets::SemiHard => 0.0 < farther && farther <= margin,
                Triplets::Hard => farther <= 0.0,
            };
            if is_selected {
                term.triplets += 1;
                triplet.add_hinge(&mut term, [positive, negative]);
            }
            if triplets != Triplets::All {
                let selection = gap(values, triplet.positive, triplet.negative).min(triplet.clearance());
                term.clearance = term.clearance.min(selection);
            }
        }
    }
    term.items = match values.word("average") {
        Average::Active => term.active,
        Average::All => term.triplets,
    };
    term
}

/// [`InfoNce`](crate::losses::InfoNce).
pub fn info_nce(anchor: &Anchor<'_>, _: &Values) -> AnchorTerm {
    cross_entropy_of_positives(anchor)
}

/// One of the two directions of [`Clip`](crate::losses::Clip).
pub fn clip(anchor: &Anchor<'_>, _: &Values) -> AnchorTerm {
    cross_entropy_of_positives(anchor)
}

/// [`NtXent`](crate::losses::NtXent).
pub fn nt_xent(anchor: &Anchor<'_>, _: &Values) -> AnchorTerm {
    cross_entropy_of_positives(anchor)
}

/// [`SupCon`](crate::losses::SupCon).
pub fn sup_con(anchor: &Anchor<'_>, _: &Values) -> AnchorTerm {
    cross_entropy_of_positives(anchor)
}

/// The mean over the positives of −log softmax of the values, which is over all other rows.
fn cross_entropy_of_positives(anchor: &Anchor<'_>) -> AnchorTerm {
    if anchor.positives.is_empty() {
        return anchor.nothing();
    }
    if let Some(term) = anchor.poisoned(1) {
        return term;
    }
    let others: Vec<usize> = anchor.others().collect();
    let logits: Vec<f64> = others.iter().map(|&other| anchor.values[other]).collect();
    let ln_p = ln_softmax(&logits);
    // The positives are the first of the others.
    let positives = anchor.positives.len();
    let by_ln_p: Vec<f64> =
        (0..others.len()).map(|k| if k < positives { -1.0 / positives as f64 } else { 0.0 }).collect();
    let loss = dot(&by_ln_p, &ln_p);
    let condition = logits.iter().map(|x| x.abs()).fold(0.0, f64::max);
    let mut term = AnchorTerm { loss, items: 1, magnitude: loss, condition, ..anchor.nothing() };
    for (&other, slope) in others.iter().zip(ln_softmax_pullback(&ln_p, &by_ln_p)) {
        term.slopes[other] = slope;
    }
    term
}

/// The distances of a triplet, and its margin.
struct Triplet {
    positive: f64,
    negative: f64,
    margin: f64,
    /// What the rounding errors of the distances are relative to.
    sizes: f64,
}

impl Triplet {
    fn new(anchor: &Anchor<'_>, values: &Values, positive: usize, negative: usize) -> Self {
        let [positive, negative] = [anchor.values[positive], anchor.values[negative]];
        let sizes = size(values, positive) + size(values, negative);
        Triplet { positive, negative, margin: values.number("margin"), sizes }
    }

    /// What the hinge is of.
    fn x(&self) -> f64 {
        self.positive - self.negative + self.margin
    }

    /// The sum of the magnitudes of what the hinge is of.
    fn size(&self) -> f64 {
        self.sizes + self.margin
    }

    /// Adds the loss max(0, x) of the triplet of these rows.
    fn add_hinge(&self, term: &mut AnchorTerm, rows: [usize; 2]) {
        let x = self.x();
        // At the kink rounding may leave a little; farther below, nothing.
        if x >= 0.0 {
            term.magnitude += self.size();
        }
        if x > 0.0 {
            term.add(rows, x, 1.0);
        }
        term.clearance = term.clearance.min(self.clearance());
    }

    /// How far the hinge is from its kink. Where both distances are the same, their difference is not rounded.
    fn clearance(&self) -> f64 {
        let x = self.x();
        if x == 0.0 || self.positive == self.negative { f64::INFINITY } else { x.abs() / self.size() }
    }
}

/// The first of the rows with the largest value.
fn farthest(values: &[f64], rows: &[usize]) -> Option<usize> {
    rows.iter().copied().reduce(|best, row| if values[row] > values[best] { row } else { best })
}

/// The first of the rows with the smallest value.
fn nearest(values: &[f64], rows: &[usize]) -> Option<usize> {
    rows.iter().copied().reduce(|best, row| if values[row] < values[best] { row } else { best })
}

/// What the rounding error of a distance is relative to: itself, or the 1 that a cosine is taken from.
fn size(values: &Values, distance: f64) -> f64 {
    if values.word::<Distance>("distance") == Distance::Cosine { distance.max(1.0) } else { distance }
}

/// How far two distances are apart; infinite where they are the same.
fn gap(values: &Values, a: f64, b: f64) -> f64 {
    if a == b { f64::INFINITY } else { (a - b).abs() / size(values, a.max(b)) }
}
