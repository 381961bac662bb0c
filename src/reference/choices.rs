//! What rounding may change where a loss chooses rows or triplets by their distances, or has a kink. Not part of any
//! formula; parity forgives so much, and no more.

use std::f64::consts::LN_2;

use super::{
    comparison::{farthest, nearest},
    conditioning::size,
};
use crate::spec::{Anchor, AnchorTerm, Average, Doubt, Fallback, Triplets, Values};

/// By what part of its size a distance, or a logit, in f32 may be off: as much as a loss may be.
pub(super) const ROUNDING: f64 = 1e-6;

/// Whether rounding decides if a hinge has a loss: of a violation that is a sum and difference of terms of this
/// magnitude, each as exact as inputs are. One of exactly 0 is 0 in f32 too.
pub(super) fn is_at_kink(violation: f64, magnitude: f64) -> bool {
    violation != 0.0 && violation.abs() <= f64::from(f32::EPSILON) * magnitude
}

/// The same of a violation that distances of such sizes are terms of.
pub(super) fn is_at_kink_of_distances(violation: f64, magnitude: f64) -> bool {
    violation != 0.0 && violation.abs() <= ROUNDING * magnitude
}

/// Whether rounding decides which of two distances is the larger. What is the same is so in f32 too.
pub(super) fn is_either_larger(a: f64, b: f64, magnitude: f64) -> bool {
    a != b && (a - b).abs() <= ROUNDING * magnitude
}

/// What may be otherwise in an evaluation because rounding decides what is chosen. Nothing where every choice is clear.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Doubts {
    /// By how much each value of the loss may change; empty if none does.
    pub loss: Vec<f64>,
    /// By how much each value of each gradient may change; empty if none does.
    pub gradients: Vec<Vec<f64>>,
    /// By how much the count of items may change.
    pub items: u64,
    /// By how much the count of triplets may change.
    pub triplets: u64,
    /// By how much the count of active triplets may change.
    pub active: u64,
    /// Of each anchor, which rows besides those named may be its hardest positive and its hardest negative; empty if
    /// there are none.
    pub hardest: Vec<[Vec<usize>; 2]>,
    /// The items whose predicted class may be another.
    pub predicted: Vec<usize>,
}

impl Doubts {
    /// Whether every choice is clear.
    pub fn is_none(&self) -> bool {
        *self == Doubts::default()
    }
}

/// The term of an anchor's hardest triplet with what is in doubt about it.
pub(super) fn of_hardest(mut term: AnchorTerm, anchor: &Anchor<'_>, values: &Values) -> AnchorTerm {
    let Some([positive, negative]) = term.hardest else { return term };
    let choice = Choice { anchor, values };
    let alternatives = |rows: &[usize], chosen: usize| -> Vec<usize> {
        rows.iter().copied().filter(|&row| choice.is_near(row, chosen)).collect()
    };
    let [positives, negatives] = [alternatives(anchor.positives, positive), alternatives(anchor.negatives, negative)];
    let is_soft = values.flag("soft_margin");
    let at_kink = !is_soft && choice.is_at_kink([positive, negative]);
    let slope = if at_kink { 1.0 } else { term.slopes[positive].abs() };
    // A soft margin is level where its loss leaves f32.
    let excess = choice.distance(positive) - choice.distance(negative);
    let from_end = (excess - f64::from(f32::MIN_POSITIVE).ln()).abs();
    let at_end = is_soft && from_end <= LN_2 + choice.rounding(positive) + choice.rounding(negative);
    let mut doubt = Doubt { active: u64::from(at_kink || at_end), ..Doubt::default() };
    for (chosen, others) in [(positive, &positives), (negative, &negatives)] {
        for &row in others.iter().chain((at_kink || !others.is_empty()).then_some(&chosen)) {
            doubt.add(anchor, [row], slope, slope * choice.rounding(row));
        }
    }
    doubt.hardest = [positives, negatives];
    term.doubt = doubt;
    term
}

/// The term of the triplets of an anchor's positives with the nearest negatives farther than these, with what is in
/// doubt about it.
pub(super) fn of_semi_hard(mut term: AnchorTerm, anchor: &Anchor<'_>, values: &Values) -> AnchorTerm {
    let choice = Choice { anchor, values };
    for &positive in anchor.positives {
        let outcomes = choice.semi_hard_outcomes(positive);
        let triplets = outcomes.iter().flatten().map(|&negative| [positive, negative]);
        let at_kink = triplets.clone().any(|rows| choice.is_at_kink(rows));
        if outcomes.len() < 2 && !at_kink {
            continue;
        }
        let losses = || outcomes.iter().map(|outcome| outcome.map_or(0.0, |n| choice.hinge([positive, n])));
        let (least, largest) = (losses().fold(f64::INFINITY, f64::min), losses().fold(0.0, f64::max));
        let may_be_active = |rows: [usize; 2]| choice.hinge(rows) > 0.0 || choice.is_at_kink(rows);
        // Active under one outcome and not under another.
        let is_active_in_doubt = largest > 0.0 && least == 0.0 || at_kink;
        if is_active_in_doubt {
            term.doubt.active += 1;
            term.doubt.add(anchor, [positive], 1.0, choice.rounding(positive));
        }
        for rows in triplets.filter(|&rows| may_be_active(rows)) {
            term.doubt.add(anchor, [rows[1]], 1.0, choice.rounding(rows[1]));
        }
        term.doubt.loss += largest - least;
        term.doubt.triplets += u64::from(outcomes.contains(&None) && outcomes.len() > 1);
    }
    term.doubt.items = term.doubt.triplets;
    term
}

/// The term of all triplets of an anchor, or of those that are selected, with what is in doubt about it.
pub(super) fn of_all(mut term: AnchorTerm, anchor: &Anchor<'_>, values: &Values) -> AnchorTerm {
    let choice = Choice { anchor, values };
    let selects = values.word::<Triplets>("triplets");
    for rows @ [positive, negative] in anchor.pairs() {
        let at_kink = choice.is_at_kink(rows);
        // The farthest semi-hard triplets are those at the kink.
        let is_selection_in_doubt = match selects {
            Triplets::All => false,
            Triplets::SemiHard => at_kink || choice.is_near(positive, negative),
            Triplets::Hard => choice.is_near(positive, negative),
        };
        let may_be_selected = match selects {
            Triplets::All => true,
            Triplets::SemiHard => is_selection_in_doubt || anchor.values[negative] > anchor.values[positive],
            Triplets::Hard => is_selection_in_doubt || anchor.values[negative] <= anchor.values[positive],
        };
        if may_be_selected && (at_kink || is_selection_in_doubt) {
            let hinge = choice.hinge(rows);
            term.doubt.triplets += u64::from(is_selection_in_doubt);
            if hinge > 0.0 || at_kink {
                term.doubt.active += 1;
                let rounding = choice.rounding(positive) + choice.rounding(negative);
                term.doubt.add(anchor, rows, 1.0, if is_selection_in_doubt { hinge + rounding } else { rounding });
            }
        }
    }
    term.doubt.items = match values.word("average") {
        Average::Active => term.doubt.active,
        Average::All => term.doubt.triplets,
    };
    term
}

impl Doubt {
    /// Adds what may become of the loss, and of the slope of each of these rows.
    fn add<const ROWS: usize>(&mut self, anchor: &Anchor<'_>, rows: [usize; ROWS], slope: f64, loss: f64) {
        self.slopes.resize(anchor.values.len(), 0.0);
        rows.iter().for_each(|&row| self.slopes[row] += slope);
        self.loss += loss;
    }
}

/// What is told apart by an anchor's distances, each of which may be off by its rounding.
struct Choice<'a> {
    anchor: &'a Anchor<'a>,
    values: &'a Values,
}

impl Choice<'_> {
    fn distance(&self, row: usize) -> f64 {
        self.anchor.values[row]
    }

    /// By how much a distance may be off.
    fn rounding(&self, row: usize) -> f64 {
        ROUNDING * size(self.values, self.distance(row))
    }

    fn is_near(&self, a: usize, b: usize) -> bool {
        let magnitude = size(self.values, self.distance(a)) + size(self.values, self.distance(b));
        is_either_larger(self.distance(a), self.distance(b), magnitude)
    }

    /// d(a,p) − d(a,n) + margin.
    fn excess(&self, [positive, negative]: [usize; 2]) -> f64 {
        self.distance(positive) - self.distance(negative) + self.values.number("margin")
    }

    fn hinge(&self, rows: [usize; 2]) -> f64 {
        self.excess(rows).max(0.0)
    }

    /// Whether rounding decides if a triplet has a loss. Where both distances are the same, only the margin is left.
    fn is_at_kink(&self, rows: [usize; 2]) -> bool {
        let [a, b] = rows.map(|row| self.distance(row));
        let magnitude = size(self.values, a) + size(self.values, b) + self.values.number("margin").abs();
        a != b && is_at_kink_of_distances(self.excess(rows), magnitude)
    }

    /// The negatives that may be chosen for a positive, of equal ones the first; `None` where it may have no triplet.
    fn semi_hard_outcomes(&self, positive: usize) -> Vec<Option<usize>> {
        let (certain, possible): (Vec<usize>, Vec<usize>) = {
            let negatives = self.anchor.negatives.iter().copied();
            let candidates = negatives
                .filter(|&n| self.distance(n) > self.distance(positive) || self.is_near(n, positive))
                .collect::<Vec<_>>();
            candidates.into_iter().partition(|&n| !self.is_near(n, positive))
        };
        let nearest_certain = nearest(self.anchor.values, &certain);
        let is_possible = |n: usize| {
            nearest_certain.is_none_or(|nearest| self.distance(n) <= self.distance(nearest) || self.is_near(n, nearest))
        };
        let mut outcomes: Vec<Option<usize>> = Vec::new();
        let mut add = |row: usize| {
            let is_known =
                |known: &Option<usize>| known.is_some_and(|known| self.distance(known) == self.distance(row));
            if !outcomes.iter().any(is_known) {
                outcomes.push(Some(row));
            }
        };
        possible.iter().chain(&certain).copied().filter(|&n| is_possible(n)).for_each(&mut add);
        if nearest_certain.is_none() {
            let farthest = farthest(self.anchor.values, self.anchor.negatives);
            match (self.values.word("fallback"), farthest) {
                (Fallback::Farthest, Some(farthest)) => {
                    let negatives = self.anchor.negatives.iter().copied();
                    negatives.filter(|&n| n == farthest || self.is_near(n, farthest)).for_each(&mut add);
                }
                _ => outcomes.push(None),
            }
        }
        outcomes
    }
}
