//! Policies and the log-probabilities of tokens, as in [`losses`](crate::losses): one function per loss.

use super::{
    binary::sigmoid,
    choices, conditioning,
    multiclass::seen,
    softmax::{ln_softmax, ln_softmax_pullback},
    weighed,
};
use crate::spec::{Item, Term, Told, Values};

/// [`TokenLogProb`](crate::losses::TokenLogProb).
pub fn token_log_prob(item: &Item<'_>, values: &Values) -> Term {
    let token = Token::of(item, values);
    token.term(Term::new(token.log_prob(), [1.0]), values)
}

/// [`PolicyClip`](crate::losses::PolicyClip).
pub fn policy_clip(item: &Item<'_>, values: &Values) -> Term {
    of_log_prob(item, values, CLIP)
}

/// [`PolicyClipOfLogits`](crate::losses::PolicyClipOfLogits).
pub fn policy_clip_of_logits(item: &Item<'_>, values: &Values) -> Term {
    of_logits(item, values, CLIP)
}

/// [`PolicyCispo`](crate::losses::PolicyCispo).
pub fn policy_cispo(item: &Item<'_>, values: &Values) -> Term {
    of_log_prob(item, values, CISPO)
}

/// [`PolicyCispoOfLogits`](crate::losses::PolicyCispoOfLogits).
pub fn policy_cispo_of_logits(item: &Item<'_>, values: &Values) -> Term {
    of_logits(item, values, CISPO)
}

/// [`PolicySapo`](crate::losses::PolicySapo).
pub fn policy_sapo(item: &Item<'_>, values: &Values) -> Term {
    of_log_prob(item, values, SAPO)
}

/// [`PolicySapoOfLogits`](crate::losses::PolicySapoOfLogits).
pub fn policy_sapo_of_logits(item: &Item<'_>, values: &Values) -> Term {
    of_logits(item, values, SAPO)
}

/// The clipped loss by ln ρ, of which [`PolicySequence`](crate::losses::PolicySequence) has one a sequence.
pub fn ratio_term(item: &Item<'_>, values: &Values) -> Term {
    let (log_ratio, advantage) = (item["log_ratio"], item["advantage"]);
    let at = |log_ratio: f64| clip(Ratio { log_prob: 0.0, ratio: log_ratio.exp(), log_ratio, advantage }, values);
    let surrogate = at(log_ratio);
    let is_near = |&kink: &f64| choices::is_either_larger(log_ratio.exp(), kink, log_ratio.exp() + kink);
    let term = conditioning::of_arguments([log_ratio], |[log_ratio]| [at(log_ratio).loss, at(log_ratio).slope])
        .telling(clipped(log_ratio, bounds_of_clip(advantage, values)));
    if surrogate.kinks.iter().any(is_near) { term.of_doubts([both(log_ratio.exp(), advantage.abs())]) } else { term }
}

/// The class of a row among the logarithms of all classes' probabilities.
struct Token {
    ln_p: Vec<f64>,
    class: usize,
}

impl Token {
    fn of(item: &Item<'_>, values: &Values) -> Self {
        Token { ln_p: ln_softmax(&seen(item.row("logits"), values)), class: item.class() }
    }

    fn log_prob(&self) -> f64 {
        self.ln_p[self.class]
    }

    /// What a loss of the log-probability alone is with respect to the logits, its magnitudes and doubts included.
    fn term(&self, of_log_prob: Term, values: &Values) -> Term {
        let mut one = vec![0.0; self.ln_p.len()];
        one[self.class] = 1.0;
        let slopes: Vec<f64> = ln_softmax_pullback(&self.ln_p, &one);
        let slopes: Vec<f64> = slopes.into_iter().map(|x| x / values.number("temperature")).collect();
        let largest = slopes.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
        // What f32 has no number for is infinite, but nothing of it reaches a class whose probability is 0 in f32.
        let times = |factor: f64| -> Vec<f64> {
            let reaches = |x: f64| !(factor as f32).is_infinite() || x.abs() >= f64::from(f32::MIN_POSITIVE);
            slopes.iter().map(|&x| if reaches(x) { x * factor } else { 0.0 }).collect()
        };
        Term {
            gradients: times(of_log_prob.gradients[0]),
            gradient_magnitudes: of_log_prob.gradient_magnitudes.iter().map(|size| size * largest).collect(),
            doubts: of_log_prob.doubts.first().map_or_else(Vec::new, |&doubt| times(doubt)),
            ..of_log_prob
        }
    }
}

/// What of a token decides its surrogate: log p, ρ, ln ρ and A.
#[derive(Clone, Copy)]
struct Ratio {
    log_prob: f64,
    ratio: f64,
    log_ratio: f64,
    advantage: f64,
}

/// The loss that stands for the reward, its derivative by log p, and where that jumps as ρ grows.
struct Surrogate {
    loss: f64,
    slope: f64,
    kinks: Vec<f64>,
}

/// −min(min(ρ, delta)·A, clamp(ρ, 1 − eps_low, 1 + eps_high)·A).
fn clip(at: Ratio, values: &Values) -> Surrogate {
    let Ratio { ratio, advantage, .. } = at;
    let (low, high) = (1.0 - values.number("eps_low"), 1.0 + values.number("eps_high"));
    let delta = Some(values.number("delta")).filter(|&delta| delta > 0.0).unwrap_or(f64::INFINITY);
    let (free, held) = (ratio.min(delta), ratio.clamp(low, high));
    // Which product is the smaller one, told without the products, which an advantage may make infinite.
    let is_first = if advantage < 0.0 { free >= held } else { free <= held };
    let is_free = if is_first { ratio <= delta } else { (low..=high).contains(&ratio) };
    let slope = if is_free { -both(ratio, advantage) } else { 0.0 };
    let loss = -both(if is_first { free } else { held }, advantage);
    Surrogate { loss, slope, kinks: vec![low, high, delta].into_iter().filter(|kink| kink.is_finite()).collect() }
}

/// −min(ρ, eps_high)·A·log p, all but log p held.
fn cispo(at: Ratio, values: &Values) -> Surrogate {
    let weight = both(at.ratio.min(values.number("eps_high")), at.advantage);
    Surrogate { loss: -both(weight, at.log_prob), slope: -weight, kinks: Vec::new() }
}

/// −(4/τ)·σ(τ·(ρ − 1))·A.
fn sapo(at: Ratio, values: &Values) -> Surrogate {
    let tau = values.number(if at.advantage > 0.0 { "tau_positive" } else { "tau_negative" });
    let x = tau * at.log_ratio.exp_m1();
    let slope = both(sigmoid(x) * sigmoid(-x), at.ratio);
    Surrogate {
        loss: -4.0 / tau * both(sigmoid(x), at.advantage),
        slope: -4.0 * both(slope, at.advantage),
        kinks: Vec::new(),
    }
}

/// What policies differ in.
#[derive(Clone, Copy)]
struct Form {
    surrogate: fn(Ratio, &Values) -> Surrogate,
    /// The bounds of the ratio beyond which a token of this advantage is clipped.
    bounds: fn(f64, &Values) -> [f64; 2],
}

const CLIP: Form = Form { surrogate: clip, bounds: bounds_of_clip };
const CISPO: Form = Form { surrogate: cispo, bounds: bounds_of_cispo };
const SAPO: Form = Form { surrogate: sapo, bounds: |_, _| UNBOUNDED };

const UNBOUNDED: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

fn bounds_of_clip(advantage: f64, values: &Values) -> [f64; 2] {
    let delta = Some(values.number("delta")).filter(|&delta| delta > 0.0);
    match advantage {
        a if a > 0.0 => [f64::NEG_INFINITY, 1.0 + values.number("eps_high")],
        a if a < 0.0 => [1.0 - values.number("eps_low"), delta.unwrap_or(f64::INFINITY)],
        _ => UNBOUNDED,
    }
}

fn bounds_of_cispo(advantage: f64, values: &Values) -> [f64; 2] {
    if advantage > 0.0 { [f64::NEG_INFINITY, values.number("eps_high")] } else { UNBOUNDED }
}

/// Whether a ratio is beyond its bounds, and how far it is from them relative to itself.
fn clipped(log_ratio: f64, bounds: [f64; 2]) -> Told {
    let (ratio, [low, high]) = (log_ratio.exp(), bounds);
    let margin = |bound: f64| match bound {
        _ if !bound.is_finite() || !ratio.is_finite() || ratio == bound => f64::INFINITY,
        // What f32 has no number for may be 0.
        _ => ((ratio - bound).abs() - f64::from(f32::MIN_POSITIVE)).max(0.0) / (ratio + bound.abs()),
    };
    let is_beyond = f64::from(ratio < low || ratio > high);
    let clipped = if log_ratio.is_nan() { f64::NAN } else { is_beyond };
    Told { clipped, clip_margin: margin(low).min(margin(high)), ..Told::NOTHING }
}

/// The loss of a token whose log-probability is an input.
fn of_log_prob(item: &Item<'_>, values: &Values, form: Form) -> Term {
    let token = Policy::of(item, values, form, item["log_prob"]);
    // The differences are rounded.
    let term = conditioning::of_arguments(token.differences(), |differences| token.loss(differences));
    let kl = conditioning::of_arguments(token.differences(), |[_, _, lead, _]| [exponential_excess(lead)]);
    token.with_doubts(term).telling(token.told(kl))
}

/// The loss of a token of a row of logits.
fn of_logits(item: &Item<'_>, values: &Values, form: Form) -> Term {
    let token = Token::of(item, values);
    let policy = Policy::of(item, values, form, token.log_prob());
    // So is the log-probability, before them.
    let given = [policy.log_prob, policy.old.unwrap_or(0.0), policy.reference.unwrap_or(0.0)];
    let moved = |[log_prob, old, reference]: [f64; 3]| {
        let old = policy.old.map(|_| old);
        Policy { log_prob, old, reference: policy.reference.map(|_| reference), ..policy }.differences()
    };
    let term = conditioning::of_arguments(given, |given| policy.loss(moved(given)));
    let kl = conditioning::of_arguments(given, |given| [exponential_excess(moved(given)[2])]);
    token.term(policy.with_doubts(term).telling(policy.told(kl)), values)
}

/// The policies of a token.
#[derive(Clone, Copy)]
struct Policy<'a> {
    log_prob: f64,
    /// Without an old policy the own one is held.
    old: Option<f64>,
    reference: Option<f64>,
    advantage: f64,
    importance: f64,
    form: Form,
    values: &'a Values,
}

impl<'a> Policy<'a> {
    fn of(item: &Item<'_>, values: &'a Values, form: Form, log_prob: f64) -> Self {
        Policy {
            log_prob,
            old: item.given("old_log_prob"),
            reference: item.given("ref_log_prob"),
            advantage: item["advantage"],
            importance: item["importance"],
            form,
            values,
        }
    }

    /// log p, ln ρ, the reference's lead r, and that over the old policy.
    fn differences(&self) -> [f64; 4] {
        let lead = self.reference.map_or(0.0, |reference| reference - self.log_prob);
        let over_old = match (self.reference, self.old) {
            (Some(reference), Some(old)) => reference - old,
            (None, Some(old)) => self.log_prob - old,
            _ => lead,
        };
        [self.log_prob, self.old.map_or(0.0, |old| self.log_prob - old), lead, over_old]
    }

    fn at(&self, log_prob: f64, log_ratio: f64) -> Surrogate {
        let at = Ratio { log_prob, ratio: log_ratio.exp(), log_ratio, advantage: self.advantage };
        (self.form.surrogate)(at, self.values)
    }

    /// The loss and its derivative by log p.
    fn loss(&self, [log_prob, log_ratio, lead, over_old]: [f64; 4]) -> [f64; 2] {
        let kl = self.values.number("kl");
        // Of two infinities nothing is known.
        if log_ratio.is_nan() || kl > 0.0 && lead.is_nan() {
            return [f64::NAN; 2];
        }
        let surrogate = self.at(log_prob, log_ratio);
        let pull = [surrogate.loss, surrogate.slope].map(|x| both(self.importance, x));
        let ratio = log_ratio.exp();
        let apart = if !self.values.flag("kl_correction") {
            [exponential_excess(lead), -lead.exp_m1()]
        } else if lead > 1.0 {
            // ρ·eʳ is what the reference has over the old policy, however little p is.
            let taken = if lead == f64::INFINITY { 0.0 } else { (1.0 + lead) * (-lead).exp() };
            [over_old.exp() * (1.0 - taken), -both(ratio, lead)]
        } else {
            [both(ratio, exponential_excess(lead)), -both(ratio, lead)]
        };
        [0, 1].map(|part| pull[part] + weighed(kl, apart[part]))
    }

    /// The term with what may be otherwise about its gradient, where rounding decides on which side of a bound ρ is.
    fn with_doubts(&self, term: Term) -> Term {
        let [log_prob, log_ratio, ..] = self.differences();
        let (ratio, magnitude) = (log_ratio.exp(), self.ratio_magnitude(log_prob));
        let is_near = |&kink: &f64| choices::is_either_larger(ratio, kink, magnitude * (ratio + kink));
        let is_in_doubt = self.at(log_prob, log_ratio).kinks.iter().any(is_near);
        let jump = both(self.importance, both(ratio, self.advantage.abs()));
        if is_in_doubt { term.of_doubts([jump]) } else { term }
    }

    /// What the rounding error of the ratio is relative to, beside itself.
    fn ratio_magnitude(&self, log_prob: f64) -> f64 {
        1.0 + log_prob.abs() + self.old.unwrap_or(0.0).abs()
    }

    /// What there is of the token besides its loss: of a divergence with its magnitude.
    fn told(&self, kl: Term) -> Told {
        let [log_prob, log_ratio, ..] = self.differences();
        let clipped = clipped(log_ratio, (self.form.bounds)(self.advantage, self.values));
        Told {
            clip_margin: clipped.clip_margin / self.ratio_magnitude(log_prob),
            kl: kl.loss[0],
            kl_magnitude: kl.magnitude.unwrap_or(0.0),
            ..clipped
        }
    }
}

/// eʳ − 1 − r, whose terms cancel near 0.
fn exponential_excess(r: f64) -> f64 {
    match r {
        f64::INFINITY => r,
        _ if r.abs() < 1.0 => 2.0 * (0.5 * r).sinh().powi(2) + (r.sinh() - r),
        _ => r.exp_m1() - r,
    }
}

/// a·b, 0 where either is 0, even beside an infinity.
fn both(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { weighed(a, b) }
}
