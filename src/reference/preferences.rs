//! Policies and preferences, as in [`losses`](crate::losses): one function per loss.

use super::{
    binary::{sigmoid, softplus},
    choices, conditioning, weighed,
};
use crate::spec::{Item, PreferenceForm, Term, Values};

/// [`PpoValue`](crate::losses::PpoValue).
pub fn ppo_value(item: &Item<'_>, values: &Values) -> Term {
    let (value, old, returns) = (item["value"], item["old_value"], item["returns"]);
    let (clip, factor) = (values.number("clip"), values.number("factor"));
    let change = value - old;
    let (free, clipped) = (value - returns, old + change.clamp(-clip, clip) - returns);
    let slope = 2.0 * factor * free;
    let gradient = match (change.abs() <= clip, free.abs().partial_cmp(&clipped.abs())) {
        // What is infinite is as far off as can be, or it is not known how far.
        (true, _) | (_, Some(std::cmp::Ordering::Greater)) | (_, None) => slope,
        (_, Some(std::cmp::Ordering::Equal)) => 0.5 * slope,
        (_, Some(std::cmp::Ordering::Less)) => 0.0,
    };
    let magnitude = value.abs() + old.abs() + returns.abs() + clip;
    let loss = factor * if free.is_nan() { free } else { (free * free).max(clipped * clipped) };
    let term = Term::new(loss, [gradient])
        .of_magnitude(loss + 2.0 * factor * free.abs().max(clipped.abs()) * magnitude)
        .of_gradient_magnitudes([2.0 * factor * magnitude]);
    let is_either = choices::is_either_larger(free.abs(), clipped.abs(), magnitude)
        || choices::is_either_larger(change.abs(), clip, magnitude);
    if is_either { term.of_doubts([slope.abs()]) } else { term }
}

/// [`Preference`](crate::losses::Preference).
pub fn preference(item: &Item<'_>, values: &Values) -> Term {
    let form = values.word("form");
    let [n_w, n_l] = ["chosen_length", "rejected_length"].map(|name| item[name].max(1.0));
    let smoothing = match values.number("label_smoothing") {
        0.0 if form == PreferenceForm::Exo => f64::from(1e-3_f32),
        smoothing => smoothing,
    };
    let given = [
        item["chosen"] - item["ref_chosen"],
        item["rejected"] - item["ref_rejected"],
        values.number("beta"),
        values.number("tau"),
    ];
    let loss = |[a, c, beta, tau]: [f64; 4]| {
        let x = beta * (a - c);
        // A loss of X alone and its slope.
        let of_x = |loss: f64, slope: f64| [loss, beta * slope, -beta * slope];
        let (s, q) = (sigmoid(x), sigmoid(-x));
        let slope_of_sigmoid = |x: f64| sigmoid(x) * sigmoid(-x);
        match form {
            PreferenceForm::Sigmoid => of_x(
                (1.0 - smoothing) * softplus(-x) + weighed(smoothing, softplus(x)),
                smoothing * s - (1.0 - smoothing) * q,
            ),
            PreferenceForm::Hinge if x >= 1.0 => [0.0; 3],
            PreferenceForm::Hinge => of_x(1.0 - x, -1.0),
            PreferenceForm::Ipo => {
                let e = a / n_w - c / n_l - 0.5 / beta;
                [e * e, 2.0 * e / n_w, -2.0 * e / n_l]
            }
            PreferenceForm::Exo => {
                let (right, wrong) = ((-smoothing).ln_1p(), smoothing.ln());
                of_x(
                    weighed(s, -softplus(-x) - right) + weighed(q, -softplus(x) - wrong),
                    weighed(s * q, x - right + wrong),
                )
            }
            PreferenceForm::Nca => [
                softplus(-beta * a) + 0.5 * softplus(beta * a) + 0.5 * softplus(beta * c),
                beta * (0.5 * sigmoid(beta * a) - sigmoid(-beta * a)),
                beta * 0.5 * sigmoid(beta * c),
            ],
            PreferenceForm::Robust => {
                let rest = 1.0 - 2.0 * smoothing;
                of_x(
                    ((1.0 - smoothing) * softplus(-x) - weighed(smoothing, softplus(x))) / rest,
                    (-(1.0 - smoothing) * q - smoothing * s) / rest,
                )
            }
            PreferenceForm::Bco => {
                [softplus(-beta * a) + softplus(beta * c), -beta * sigmoid(-beta * a), beta * sigmoid(beta * c)]
            }
            PreferenceForm::Sppo => {
                let (won, lost) = (a - 0.5 / beta, c + 0.5 / beta);
                [won * won + lost * lost, 2.0 * won, 2.0 * lost]
            }
            PreferenceForm::ApoZero => [
                sigmoid(-beta * a) + sigmoid(beta * c),
                -beta * slope_of_sigmoid(beta * a),
                beta * slope_of_sigmoid(beta * c),
            ],
            PreferenceForm::ApoDown => [sigmoid(beta * a) + q, beta * slopes_apart(beta * a, x), beta * s * q],
            PreferenceForm::Discopop => {
                let (m, rest) = (sigmoid(x / tau), sigmoid(-x / tau));
                // exp(−X)·m in logarithms, of which −X alone would overflow.
                let exponent =
                    if x < 0.0 { weighed(1.0 / tau - 1.0, x) - softplus(x / tau) } else { -x - softplus(-x / tau) };
                let exponential = exponent.exp();
                of_x(
                    weighed(rest, softplus(-x)) + exponential,
                    (rest / tau - 1.0) * exponential - weighed(m * rest / tau, softplus(-x)) - q * rest,
                )
            }
            PreferenceForm::SigmoidNorm => {
                let x = beta * (a / n_w - c / n_l);
                [softplus(-x), -beta * sigmoid(-x) / n_w, beta * sigmoid(-x) / n_l]
            }
        }
    };
    let term = conditioning::of_arguments(given, loss);
    let x = given[2] * (given[0] - given[1]);
    if form == PreferenceForm::Hinge && choices::is_at_kink(1.0 - x, 1.0 + given[2] * (given[0].abs() + given[1].abs()))
    {
        return term.of_doubts([given[2]; 2]);
    }
    term
}

/// σ'(u) − σ'(v), with σ' = ¼ − ¼·tanh²(x/2) where both are nearly ¼.
fn slopes_apart(u: f64, v: f64) -> f64 {
    if u.abs().max(v.abs()) < 1.0 {
        let [u, v] = [u, v].map(|x| (0.5 * x).tanh());
        0.25 * (v - u) * (v + u)
    } else {
        sigmoid(u) * sigmoid(-u) - sigmoid(v) * sigmoid(-v)
    }
}

/// [`Cpo`](crate::losses::Cpo).
pub fn cpo(item: &Item<'_>, values: &Values) -> Term {
    of_difference(item, values, 0.0)
}

/// [`Simpo`](crate::losses::Simpo).
pub fn simpo(item: &Item<'_>, values: &Values) -> Term {
    of_difference(item, values, values.number("gamma"))
}

/// −(1−ε)·ln σ(X) − ε·ln σ(−X) of X = β·(chosen − rejected) − margin.
fn of_difference(item: &Item<'_>, values: &Values, margin: f64) -> Term {
    let smoothing = values.number("label_smoothing");
    let given = [item["chosen"], item["rejected"], values.number("beta"), margin];
    conditioning::of_arguments(given, |[chosen, rejected, beta, margin]| {
        let x = beta * (chosen - rejected) - margin;
        let slope = beta * (smoothing * sigmoid(x) - (1.0 - smoothing) * sigmoid(-x));
        [weighed(1.0 - smoothing, softplus(-x)) + weighed(smoothing, softplus(x)), slope, -slope]
    })
}

/// [`Orpo`](crate::losses::Orpo).
pub fn orpo(item: &Item<'_>, values: &Values) -> Term {
    let beta = values.number("beta");
    let given = ["chosen", "rejected"].map(|name| item[name].min(0.0));
    conditioning::of_arguments(given, |[w, l]| {
        let [miss_w, miss_l] = [w, l].map(|x| -x.exp_m1());
        let log_odds = w - l - log1mexp(w) + log1mexp(l);
        let slope = beta / (miss_w + weighed(miss_l, (w - l).exp()));
        [beta * softplus(-log_odds), -slope, slope * miss_w / miss_l]
    })
}

/// [`Kto`](crate::losses::Kto).
pub fn kto(item: &Item<'_>, values: &Values) -> Term {
    let (sign, weight) = match item["desirable"] {
        1.0 => (1.0, values.number("desirable_weight")),
        _ => (-1.0, values.number("undesirable_weight")),
    };
    let given = [item["log_prob"] - item["ref_log_prob"], item["kl"].max(0.0), values.number("beta")];
    conditioning::of_arguments(given, |[gain, kl, beta]| {
        let x = sign * beta * (gain - kl);
        [weight * sigmoid(-x), -weight * sign * beta * sigmoid(x) * sigmoid(-x)]
    })
}

/// [`RewardPair`](crate::losses::RewardPair).
pub fn reward_pair(item: &Item<'_>, values: &Values) -> Term {
    let center = values.number("center");
    let given = [item["chosen"], item["rejected"], item["margin"]];
    conditioning::of_arguments(given, |[chosen, rejected, margin]| {
        let (x, both) = (chosen - rejected - margin, chosen + rejected);
        let centring = 2.0 * weighed(center, both);
        [softplus(-x) + weighed(center, both * both), centring - sigmoid(-x), centring + sigmoid(-x)]
    })
}

/// ln(1 − eˣ) of x ≤ 0.
fn log1mexp(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 { (-x.exp_m1()).ln() } else { (-x.exp()).ln_1p() }
}
