//! Values of the kind that a loss's inputs ask for.

mod boxes;
mod embeddings;

pub(crate) use boxes::draw_boxes;
pub(crate) use embeddings::{draw_batch, draw_labels, draw_pairs};

use crate::{reference::ln_softmax, spec::Domain};

/// How large the values are. Errors are measured against the largest, so small ones need cases of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Regime {
    Small,
    Medium,
    /// Up to ±1e4.
    Large,
    /// For rows: small differences at ±1e4.
    Shifted,
}

impl Regime {
    #[cfg(feature = "parity")]
    pub fn name(self) -> &'static str {
        match self {
            Regime::Small => "small",
            Regime::Medium => "medium",
            Regime::Large => "large",
            Regime::Shifted => "shifted",
        }
    }

    fn pick(self, [small, medium, large]: [f64; 3]) -> f64 {
        match self {
            Regime::Small | Regime::Shifted => small,
            Regime::Medium => medium,
            Regime::Large => large,
        }
    }
}

/// A value of the domain, sometimes at or next to the first input's, where kinks are.
pub(crate) fn draw(domain: Domain, regime: Regime, first: Option<f64>, rng: &mut fastrand::Rng) -> f64 {
    let signed = |rng: &mut fastrand::Rng, scale: f64| (2.0 * rng.f64() - 1.0) * scale;
    match domain {
        Domain::Real => match (first, rng.u8(..8)) {
            (Some(first), 0) => first,
            (Some(first), 1) => first * (1.0 + signed(rng, 1e-2)),
            (None, 0) if regime != Regime::Shifted => 0.0,
            _ if regime == Regime::Shifted => 1e4 + signed(rng, 3.0),
            _ => signed(rng, regime.pick([3.0, 100.0, 1e4])),
        },
        Domain::LogRate | Domain::LogScale => signed(rng, regime.pick([2.0, 20.0, 80.0])),
        // Losses of any size times the inverse are still what f32 holds.
        Domain::LogVariance => signed(rng, regime.pick([2.0, 20.0, 60.0])),
        Domain::NonNegative => regime.pick([10.0, 1e2, 1e4]).powf(signed(rng, 1.0)),
        Domain::Count => (rng.f64() * regime.pick([4.0, 100.0, 1e4])).floor(),
        Domain::Probability => match (rng.u8(..4), regime) {
            // Certain values: for a prediction their gradient dwarfs all others, hence the regime of their own.
            (0, Regime::Large) => 0.0,
            (1, Regime::Large) => 1.0,
            _ => rng.f64(),
        },
        Domain::LogProbability => match (first, first.map_or(0, |_| rng.u8(..8))) {
            (Some(first), 0) => first,
            (Some(first), 1..=3) => first * (1.0 + signed(rng, 1e-2)),
            _ => -rng.f64() * regime.pick([3.0, 20.0, 80.0]),
        },
        Domain::Sign => f64::from(2 * i8::from(rng.bool()) - 1),
        Domain::Weight | Domain::ClassWeight => {
            if rng.u8(..8) == 0 {
                0.0
            } else {
                2.0 * rng.f64()
            }
        }
        Domain::SignedWeight => {
            let weight = draw(Domain::Weight, regime, first, rng);
            if rng.u8(..8) == 0 { -weight } else { weight }
        }
        Domain::Divisor => 10f64.powf(signed(rng, 1.0)),
        Domain::Similar => f64::from(u8::from(rng.bool())),
        Domain::Mask => f64::from(u8::from(rng.u8(..4) > 0)),
        Domain::Class
        | Domain::DistinctClasses
        | Domain::Label
        | Domain::Activated
        | Domain::TargetBox
        | Domain::Offsets
        | Domain::Where(..)
        | Domain::WhereIs(..) => {
            unreachable!("labels and boxes are drawn apart, and domains are resolved")
        }
    }
}

/// So many of the classes, no one twice, for each of so many rows.
pub(crate) fn draw_distinct_classes(rows: usize, [given, classes]: [usize; 2], rng: &mut fastrand::Rng) -> Vec<i32> {
    (0..rows).flat_map(|_| rng.choose_multiple(0..classes as i32, given)).collect()
}

/// The logarithms of what a teacher gives to so many classes of each row, which leave a part of 1.
pub(crate) fn draw_top_k(regime: Regime, rows: usize, given: usize, rng: &mut fastrand::Rng) -> Vec<f64> {
    let row = |_| {
        let logits: Vec<f64> = (0..given).map(|_| draw(Domain::LogProbability, regime, None, rng)).collect();
        // Of what is next to nothing rounding would leave any part.
        let left = 0.1 + 0.8 * rng.f64();
        ln_softmax(&logits).into_iter().map(|ln_p| ln_p + (1.0 - left).ln()).collect::<Vec<f64>>()
    };
    (0..rows).flat_map(row).collect()
}

/// Where so many sequences of so many tokens begin, some of them without any, and last the number of tokens.
pub(crate) fn draw_offsets(sequences: usize, tokens: usize, rng: &mut fastrand::Rng) -> Vec<i32> {
    let mut offsets: Vec<i32> = (1..sequences).map(|_| rng.usize(0..=tokens) as i32).collect();
    offsets.extend([0, tokens as i32].iter().skip(usize::from(sequences == 0)));
    offsets.sort_unstable();
    offsets
}
