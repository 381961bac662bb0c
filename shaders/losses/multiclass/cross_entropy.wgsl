// Σ_c q_c·(lse − x_c) + z·lse² − b·H, where q_y has what smoothing keeps and every class what it spreads, each times
// the class's weight, and H is the entropy. The sums over the classes are Σ q_c and Σ q_c·(maximum − x_c) of the spread
// part.
const SUMS: bool = COMPILED_LABEL_SMOOTHING != 0u;

fn spread() -> f32 {
    if (!SUMS) {
        return 0.0;
    }
    return params.label_smoothing / f32(call.classes - select(0u, 1u, params.smoothing == SMOOTHING_OTHERS));
}

// What the target keeps besides its share of what is spread: with `others` that share is not its own. A masked class
// has none.
fn kept(target_logit: f32) -> f32 {
    let has_others_share = params.smoothing == SMOOTHING_OTHERS && !is_masked(target_logit);
    return (1.0 - params.label_smoothing) - select(0.0, spread(), has_others_share);
}

fn spread_of(weight: f32, logit: f32) -> f32 {
    return select(spread() * weight, 0.0, is_masked(logit));
}

fn class_sums(row: Row, cell: Cell) -> vec2<f32> {
    return vec2<f32>(spread_of(cell.weight, cell.logit), 0.0);
}

fn shift_sums(sums: vec2<f32>, rise: f32, shrink: f32) -> vec2<f32> {
    return vec2<f32>(sums.x, sums.y + sums.x * rise);
}

// The factor of every probability in the gradient, and the gradient of the target's logit: its probability less 1 is
// expm1(log p), because 1 − p cancels where p is nearly 1.
fn row_outcome(row: Row) -> Outcome {
    let share = kept(row.target_logit) * row.target_weight;
    let log_p = target_log_probability(row);
    let sums = row.state.sums;
    let lse = (seen_logit(row.state.first.maximum) + row.state.offset) + row.log_norm;
    var loss = times(share, -log_p) + (sums.y + sums.x * row.log_norm) + params.z_loss * lse * lse;
    if (USES_ENTROPY) {
        loss -= params.entropy_bonus * entropy(row);
    }
    let mass = share + sums.x;
    // A row with every class masked has no logits to pull.
    let z_factor = select(2.0 * params.z_loss * lse, 0.0, row.state.first.maximum == LOWEST);
    // Either form is mass·p − share − own. The spread parts cancel in the first one where p is small, and may be far
    // more than the rest if the target's weight is nearly 0; in the second one they do where p is nearly 1.
    let p = expf(log_p);
    let own = spread_of(row.target_weight, row.target_logit);
    let sure = mass * expm1f(log_p) + (sums.x - own);
    let unsure = share * expm1f(log_p) + (sums.x * p - own);
    let target_gradient = select(unsure, sure, p > 0.5) + z_factor * p;
    return Outcome(loss, vec3<f32>(mass + z_factor, target_gradient, 0.0));
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    let p = probability_of(row, cell);
    let of_other = row.factors.x * p - spread_of(cell.weight, cell.logit);
    let gradient = select(of_other, row.factors.y, cell.column == row.label);
    if (USES_ENTROPY) {
        return gradient + params.entropy_bonus * entropy_pull(row, cell, p);
    }
    return gradient;
}

// The entropy, of which a row's loss has a multiple less.
const USES_ENTROPY: bool = COMPILED_ENTROPY_BONUS != 0u;

// The derivative of −H: p·(log p + H), in which the norms of both cancel.
fn entropy_pull(row: Row, cell: Cell, p: f32) -> f32 {
    return p * mean_gap(row) - times(p, gap_of(row, cell));
}

// softcap: s·tanh(x/s). Differences are formed from exponentials that do not cancel, because the difference of two
// capped logits would keep the rounding of each. With a = |x|/s, b = |y|/s: tanh(x/s) − tanh(y/s) is
// sinh(x/s − y/s) / (cosh a · cosh b).
const SEES: bool = COMPILED_SOFTCAP != 0u;

fn distance_of(x: f32, y: f32) -> f32 {
    if (COMPILED_SOFTCAP == 0u) {
        return abs(x - y);
    }
    let low = min(x, y) / params.softcap;
    let high = max(x, y) / params.softcap;
    let power = min(0.0, min(2.0 * high, -2.0 * low));
    let decays = (1.0 + exp_nonpositive(-2.0 * abs(low))) * (1.0 + exp_nonpositive(-2.0 * abs(high)));
    let difference = -expm1f(-2.0 * abs(x - y) / params.softcap);
    let capped = 2.0 * params.softcap * exp_nonpositive(power) * difference / decays;
    // A masked class stays so; the lowest number stands for it too.
    return select(capped, abs(x - y), min(x, y) <= LOWEST);
}

fn seen_logit(x: f32) -> f32 {
    if (COMPILED_SOFTCAP == 0u) {
        return x;
    }
    return params.softcap * tanhf(x / params.softcap);
}

fn slope_of(x: f32) -> f32 {
    if (COMPILED_SOFTCAP == 0u) {
        return 1.0;
    }
    // 1 − tanh², from the same exponential.
    let decay = exp_nonpositive(-2.0 * abs(x) / params.softcap);
    return 4.0 * decay / ((1.0 + decay) * (1.0 + decay));
}
