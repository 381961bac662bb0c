//! Metric learning over a whole batch, as in [`losses`](crate::losses): an anchor's loss from its values with all other
//! rows, one function per loss.

use super::{
    binary::{sigmoid, softplus},
    choices,
    comparison::{farthest, nearest},
    conditioning, dot,
    softmax::*,
};
use crate::spec::{Anchor, AnchorTerm, Average, Doubt, Fallback, Triplets, Values};

/// [`TripletBatchHard`](crate::losses::TripletBatchHard).
pub fn triplet_batch_hard(anchor: &Anchor<'_>, values: &Values) -> AnchorTerm {
    let [farthest, nearest] = [farthest(anchor.values, anchor.positives), nearest(anchor.values, anchor.negatives)];
    let (Some(positive), Some(negative)) = (farthest, nearest) else { return anchor.nothing() };
    if let Some(term) = anchor.poisoned(1) {
        return term;
    }
    let mut term = if values.flag("soft_margin") {
        let x = anchor.values[positive] - anchor.values[negative];
        let mut term = AnchorTerm { triplets: 1, ..anchor.nothing() };
        term.add([positive, negative], softplus(x), sigmoid(x));
        // Of a sure triplet f32 has no loss left.
        term.active = u64::from(softplus(x) >= f64::from(f32::MIN_POSITIVE));
        term
    } else {
        anchor.hinges(&[[positive, negative]], values.number("margin"))
    };
    term.items = 1;
    term.hardest = Some([positive, negative]);
    choices::of_hardest(conditioning::of_hardest(term, anchor, values), anchor, values)
}

/// [`TripletSemiHard`](crate::losses::TripletSemiHard).
pub fn triplet_semi_hard(anchor: &Anchor<'_>, values: &Values) -> AnchorTerm {
    let Some(farthest) = farthest(anchor.values, anchor.negatives) else { return anchor.nothing() };
    if let Some(term) = anchor.poisoned(anchor.positives.len()) {
        return term;
    }
    let fallback = values.word("fallback");
    let negative_of = |positive: usize| match (nearest(anchor.values, &anchor.farther_negatives(positive)), fallback) {
        (Some(nearest), _) => Some(nearest),
        (None, Fallback::Farthest) => Some(farthest),
        (None, Fallback::None) => None,
    };
    let selected: Vec<[usize; 2]> =
        anchor.positives.iter().filter_map(|&positive| Some([positive, negative_of(positive)?])).collect();
    let mut term = anchor.hinges(&selected, values.number("margin"));
    term.items = term.triplets;
    choices::of_semi_hard(conditioning::of_triplets(term, anchor, values, &selected), anchor, values)
}

/// [`TripletBatchAll`](crate::losses::TripletBatchAll).
pub fn triplet_batch_all(anchor: &Anchor<'_>, values: &Values) -> AnchorTerm {
    if let Some(term) = anchor.poisoned(anchor.positives.len() * anchor.negatives.len()) {
        return term;
    }
    let margin = values.number("margin");
    let is_selected = |&[positive, negative]: &[usize; 2]| {
        let farther = anchor.values[negative] - anchor.values[positive];
        match values.word("triplets") {
            Triplets::All => true,
            Triplets::SemiHard => 0.0 < farther && farther <= margin,
            Triplets::Hard => farther <= 0.0,
        }
    };
    let selected: Vec<[usize; 2]> = anchor.pairs().filter(is_selected).collect();
    let mut term = anchor.hinges(&selected, margin);
    term.items = match values.word("average") {
        Average::Active => term.active,
        Average::All => term.triplets,
    };
    choices::of_all(conditioning::of_triplets(term, anchor, values, &selected), anchor, values)
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
    let mut term = AnchorTerm { loss: dot(&by_ln_p, &ln_p), items: 1, ..anchor.nothing() };
    for (&other, slope) in others.iter().zip(ln_softmax_pullback(&ln_p, &by_ln_p)) {
        term.slopes[other] = slope;
    }
    conditioning::of_softmax(term, anchor)
}

impl Anchor<'_> {
    /// The rows that it is compared with.
    pub(super) fn others(&self) -> impl Iterator<Item = usize> + '_ {
        self.positives.iter().chain(self.negatives).copied()
    }

    /// Each positive with each negative.
    pub(super) fn pairs(&self) -> impl Iterator<Item = [usize; 2]> + '_ {
        self.positives.iter().flat_map(|&positive| self.negatives.iter().map(move |&negative| [positive, negative]))
    }

    /// The negatives that are farther than a positive.
    pub(super) fn farther_negatives(&self, positive: usize) -> Vec<usize> {
        self.negatives.iter().copied().filter(|&n| self.values[n] > self.values[positive]).collect()
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
            doubt: Doubt::default(),
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

    /// The summed losses max(0, d(a,p) − d(a,n) + margin) of triplets, each given by its positive and its negative.
    fn hinges(&self, triplets: &[[usize; 2]], margin: f64) -> AnchorTerm {
        let mut term = AnchorTerm { triplets: triplets.len() as u64, ..self.nothing() };
        for &[positive, negative] in triplets {
            let x = self.values[positive] - self.values[negative] + margin;
            if x > 0.0 {
                term.add([positive, negative], x, 1.0);
            }
        }
        term
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
