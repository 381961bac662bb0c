// KL(P ‖ Q), KL(Q ‖ P), or β·KL(P ‖ M) + (1 − β)·KL(Q ‖ M) with M = β·P + (1 − β)·Q. Its terms are formed so that none
// is negative and none cancels where teacher and student nearly agree: P·log(P/Q) − P + Q = P·(exp(−d) − 1 + d) with
// d = log P − log Q.
//
// Joined to pairs.wgsl; a hook file gives form, teacher_share, which is β, and loss_factor.

const FORWARD: u32 = 0u;
const REVERSE: u32 = 1u;
const MIXTURE: u32 = 2u;

const MIDDLE: bool = true;

// log((1 − w) + w·exp(d)) for a share w of what is exp(d), and `rest` = 1 − w.
fn log_mean(w: f32, rest: f32, d: f32) -> f32 {
    if (d > 80.0) {
        return d + logf(w + rest * expf(-d));
    }
    // What is left of 1 has lost its digits where little is.
    let change = w * expm1f(d);
    return select(log1pf(change), logf(rest + w * expf(d)), change < -0.5);
}

// log(m/p), log(m/q).
fn log_mixtures(d: f32) -> vec2<f32> {
    let share = teacher_share();
    return vec2<f32>(log_mean(1.0 - share, share, -d), log_mean(share, 1.0 - share, d));
}

// The derivative of the divergence by q, log(q/p) or (1 − β)·log(q/m), less that of the student's likeliest class: in a
// sure row the mean of the derivatives would cancel against each. `rounding` is what the norms left in d.
fn relative_derivative(row: Row, cell: Cell, rounding: f32) -> f32 {
    // Said, not computed: else a compiler may subtract the mean first, which is lost in what is subtracted then.
    if (cell.column == row.state.first.column) {
        return 0.0;
    }
    if (form() == REVERSE) {
        let largest = largest_of(row);
        return steps_apart(cell.logit, largest.logit, cell.second, largest.second) / params.temperature;
    }
    let share = teacher_share();
    let rest = 1.0 - share;
    let d = log_ratio(row, cell) - rounding;
    let largest = log_ratio(row, largest_of(row)) - rounding;
    // log(m/q) is softplus(d + odds) + log(1 − β), whose constant would drown what differs where p is next to nothing.
    let odds = logf(share / rest);
    if (max(d, largest) < min(-odds, -1.0)) {
        return rest * (softplus(largest + odds) - softplus(d + odds));
    }
    return rest * (log_mean(share, rest, largest) - log_mean(share, rest, d));
}

// The sums: the divergence but for the last one's part, the mean of the derivatives over Q, Σ P − Q, which is 0 but for
// the rounding of the norms, and what of that belongs to the divergence: many small terms, which a class that has
// nearly all of the divergence would swallow.
fn middle_sums(row: Row, cell: Cell) -> vec4<f32> {
    let pair = pair_of(row, cell);
    if (is_masked(cell.logit) || is_masked(cell.second)) {
        return masked_sums(row, cell, pair);
    }
    let near = is_near(pair);
    let p_less_q = p_less_q_of(pair);
    if (form() == FORWARD) {
        let divergence = pair.p * select(pair.d, exp_excess(-pair.d), near);
        return vec4<f32>(divergence, 0.0, p_less_q, select(-p_less_q, 0.0, near));
    }
    let mean = pair.q * relative_derivative(row, cell, 0.0);
    if (form() == REVERSE) {
        let divergence = pair.q * select(-pair.d, exp_excess(pair.d), near);
        return vec4<f32>(divergence, mean, p_less_q, select(p_less_q, 0.0, near));
    }
    // Near, β·p·(m/p − 1) and (1 − β)·q·(m/q − 1) are added, whose sum is 0.
    let share = teacher_share();
    let rest = 1.0 - share;
    let logs = log_mixtures(pair.d);
    let p_term = share * pair.p * select(-logs.x, log_excess(rest * expm1f(-pair.d)), near);
    let q_term = rest * pair.q * select(-logs.y, log_excess(share * expm1f(pair.d)), near);
    return vec4<f32>(p_term + q_term, mean, p_less_q, 0.0);
}

// Of a class that one of the two masks, or both.
fn masked_sums(row: Row, cell: Cell, pair: Pair) -> vec4<f32> {
    let p_less_q = pair.p - pair.q;
    if (form() == MIXTURE) {
        let share = teacher_share();
        let rest = 1.0 - share;
        let divergence = -share * logf(share) * pair.p - rest * logf(rest) * pair.q;
        let mean = select(pair.q * relative_derivative(row, cell, 0.0), 0.0, is_masked(cell.logit));
        return vec4<f32>(divergence, mean, p_less_q, 0.0);
    }
    // However little the one weighs that is there: nothing is so small that infinity times it is not infinite.
    let infinity = bitcast<f32>(bitcast<u32>(min(cell.logit, cell.second)) & 0x7f800000u);
    let weighs = select(cell.logit, cell.second, form() == FORWARD);
    return vec4<f32>(select(infinity, pair.p + pair.q, is_masked(weighs)), 0.0, p_less_q, 0.0);
}

fn row_outcome(row: Row) -> Outcome {
    // What the norms left in every d has added its square. Beside a row that is all masked, Σ P − Q is no rounding.
    let curvature = select(1.0, teacher_share() * (1.0 - teacher_share()), form() == MIXTURE);
    let added = 0.5 * curvature * row.middle.z * row.middle.z;
    let divergence = row.middle.x + row.middle.w;
    let is_rounding = abs(row.middle.z) < 0.5 && divergence > added;
    return Outcome(loss_factor() * select(divergence, divergence - added, is_rounding), vec3<f32>());
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    let pair = pair_of(row, cell);
    let rounding = row.middle.z;
    if (form() == FORWARD) {
        let d = pair.d - rounding;
        return select(pair.q - pair.p, pair.p * expm1f(-clamp(d, -NEAR, NEAR)), abs(d) < NEAR);
    }
    if (is_masked(cell.logit)) {
        return 0.0;
    }
    // The teacher masks a class that the student has: all that leads away from those is infinitely steep.
    let divergence = row.middle.x;
    if (!is_finite(divergence)) {
        return select(-abs(divergence), abs(divergence), is_masked(cell.second));
    }
    return pair.q * (relative_derivative(row, cell, rounding) - row.middle.y);
}
