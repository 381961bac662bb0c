// T²·KL(P ‖ Q) with P the teacher's and Q the student's softmax, or another divergence. Its terms are formed so that
// none is negative and none cancels where teacher and student nearly agree: P·log(P/Q) − P + Q = P·(exp(−d) − 1 + d)
// with d = log P − log Q.
const MIDDLE: bool = true;

const SEES: bool = true;

fn distance_of(x: f32, y: f32) -> f32 {
    return abs(x - y) / params.temperature;
}

fn seen_logit(x: f32) -> f32 {
    return x / params.temperature;
}

// T² for the loss and 1/T for the logits.
fn slope_of(x: f32) -> f32 {
    return params.temperature;
}

// A class's part in P and Q.
struct Pair {
    p: f32,
    q: f32,
    // log p − log q; of no use where one is masked.
    d: f32,
}

fn pair_of(row: Row, cell: Cell) -> Pair {
    let p = exp_nonpositive(-distance_of(cell.second, row.state.second.maximum)) * row.second_inverse_norm;
    return Pair(p, exact_probability_of(row, cell), log_ratio(row, cell));
}

fn log_ratio(row: Row, cell: Cell) -> f32 {
    let raw = steps_apart(cell.second, row.state.second.maximum, cell.logit, row.state.first.maximum);
    return raw / params.temperature - row.log_norm_ratio;
}

// How much further it is from b to a than from d to c. Subtracted first is what is nearer: teacher and student where
// they nearly agree, else the logits of either.
fn steps_apart(a: f32, b: f32, c: f32, d: f32) -> f32 {
    let agree = max(abs(a - c), abs(b - d)) < max(abs(a - b), abs(c - d));
    return select((a - b) - (c - d), (a - c) - (b - d), agree);
}

// Where exp_excess and log_excess hold.
const NEAR: f32 = 0.34;

// log(m/p), log(m/q) for m = ½·(p + q).
fn log_middles(d: f32) -> vec2<f32> {
    let larger = log1pf(0.5 * expm1f(-abs(d)));
    return select(vec2<f32>(larger + abs(d), larger), vec2<f32>(larger, larger + abs(d)), d > 0.0);
}

// The derivative of the divergence by q, log(q/p) or ½·log(q/m), less that of the student's likeliest class: in a sure
// row the mean of the derivatives would cancel against each. `rounding` is what the norms left in d.
fn relative_derivative(row: Row, cell: Cell, rounding: f32) -> f32 {
    // Said, not computed: else a compiler may subtract the mean first, which is lost in what is subtracted then.
    if (cell.column == row.state.first.column) {
        return 0.0;
    }
    if (COMPILED_DIVERGENCE == DIVERGENCE_REVERSE) {
        let largest = largest_of(row);
        return steps_apart(cell.logit, largest.logit, cell.second, largest.second) / params.temperature;
    }
    let d = log_ratio(row, cell) - rounding;
    let largest = log_ratio(row, largest_of(row)) - rounding;
    if (max(abs(d), abs(largest)) < 1.0) {
        return 0.5 * (log_middles(largest).y - log_middles(d).y);
    }
    // log(m/q) is softplus(d) − ln 2, whose constant would drown what differs where p is next to nothing.
    return 0.5 * (softplus(largest) - softplus(d));
}

// The sums: the divergence but for the last one's part, the mean of the derivatives over Q, Σ P − Q, which is 0 but for
// the rounding of the norms, and what of that belongs to the divergence: many small terms, which a class that has
// nearly all of the divergence would swallow.
fn middle_sums(row: Row, cell: Cell) -> vec4<f32> {
    let pair = pair_of(row, cell);
    if (is_masked(cell.logit) || is_masked(cell.second)) {
        return masked_sums(row, cell, pair);
    }
    let near = abs(pair.d) < NEAR;
    let p_less_q = select(pair.p - pair.q, -pair.p * expm1f(-clamp(pair.d, -NEAR, NEAR)), near);
    if (COMPILED_DIVERGENCE == DIVERGENCE_FORWARD) {
        let divergence = pair.p * select(pair.d, exp_excess(-pair.d), near);
        return vec4<f32>(divergence, 0.0, p_less_q, select(-p_less_q, 0.0, near));
    }
    let mean = pair.q * relative_derivative(row, cell, 0.0);
    if (COMPILED_DIVERGENCE == DIVERGENCE_REVERSE) {
        let divergence = pair.q * select(-pair.d, exp_excess(pair.d), near);
        return vec4<f32>(divergence, mean, p_less_q, select(p_less_q, 0.0, near));
    }
    // Near, p·(m/p − 1) and q·(m/q − 1) are added, whose sum is 0.
    let logs = log_middles(pair.d);
    let p_term = select(-pair.p * logs.x, pair.p * log_excess(0.5 * expm1f(-pair.d)), near);
    let q_term = select(-pair.q * logs.y, pair.q * log_excess(0.5 * expm1f(pair.d)), near);
    return vec4<f32>(p_term + q_term, mean, p_less_q, 0.0);
}

// Of a class that one of the two masks, or both.
fn masked_sums(row: Row, cell: Cell, pair: Pair) -> vec4<f32> {
    let p_less_q = pair.p - pair.q;
    let infinity = bitcast<f32>(bitcast<u32>(min(cell.logit, cell.second)) & 0x7f800000u);
    let either = pair.p + pair.q;
    if (COMPILED_DIVERGENCE == DIVERGENCE_JENSEN_SHANNON) {
        let mean = select(pair.q * relative_derivative(row, cell, 0.0), 0.0, is_masked(cell.logit));
        return vec4<f32>(either * LN2, mean, p_less_q, 0.0);
    }
    // However little the one weighs that is there: nothing is so small that infinity times it is not infinite.
    let weighs = select(cell.logit, cell.second, COMPILED_DIVERGENCE == DIVERGENCE_FORWARD);
    return vec4<f32>(select(infinity, either, is_masked(weighs)), 0.0, p_less_q, 0.0);
}

fn row_outcome(row: Row) -> Outcome {
    let is_mean = COMPILED_DIVERGENCE == DIVERGENCE_JENSEN_SHANNON;
    let factor = params.temperature * params.temperature * select(1.0, 0.5, is_mean);
    // What the norms left in every d has added its square. Beside a row that is all masked, Σ P − Q is no rounding.
    let added = select(0.5, 0.25, is_mean) * row.middle.z * row.middle.z;
    let divergence = row.middle.x + row.middle.w;
    let is_rounding = abs(row.middle.z) < 0.5 && divergence > added;
    return Outcome(factor * select(divergence, divergence - added, is_rounding), vec3<f32>());
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    let pair = pair_of(row, cell);
    let rounding = row.middle.z;
    if (COMPILED_DIVERGENCE == DIVERGENCE_FORWARD) {
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
