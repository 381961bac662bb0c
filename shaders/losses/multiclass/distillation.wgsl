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

struct Pair {
    p: f32,
    q: f32,
    // log p − log q; of no use where one is masked.
    d: f32,
}

fn pair_of(row: Row, cell: Cell) -> Pair {
    let first = row.state.first.maximum;
    let second = row.state.second.maximum;
    // Differences of logits first: they are exact where teacher and student nearly agree.
    let raw = ((cell.second - cell.logit) - (second - first)) / params.temperature;
    let d = raw - (row.second_log_norm - row.log_norm);
    let p = exp_nonpositive(-distance_of(cell.second, second)) * row.second_inverse_norm;
    let q = exp_nonpositive(-distance_of(cell.logit, first)) * row.inverse_norm;
    return Pair(p, q, d);
}

const NEAR: f32 = 0.34;

// log(m/p), log(m/q) for m = ½·(p + q).
fn log_middles(d: f32) -> vec2<f32> {
    let larger = log1pf(0.5 * expm1f(-abs(d)));
    return select(vec2<f32>(larger + abs(d), larger), vec2<f32>(larger, larger + abs(d)), d > 0.0);
}

// The sums: the divergence, KL(Q ‖ M) for Jensen–Shannon, and Σ P − Q, which is 0 but for the rounding of the norms.
fn middle_sums(row: Row, cell: Cell) -> vec3<f32> {
    let pair = pair_of(row, cell);
    let near = abs(pair.d) < NEAR;
    let p_less_q = select(pair.p - pair.q, -pair.p * expm1f(-clamp(pair.d, -NEAR, NEAR)), near);
    if (is_masked(cell.logit) || is_masked(cell.second)) {
        let infinity = bitcast<f32>(bitcast<u32>(min(cell.logit, cell.second)) & 0x7f800000u);
        let either = pair.p + pair.q;
        if (COMPILED_DIVERGENCE == DIVERGENCE_JENSEN_SHANNON) {
            return vec3<f32>(either * LN2, pair.q * LN2, p_less_q);
        }
        let weighs = select(pair.q, pair.p, COMPILED_DIVERGENCE == DIVERGENCE_FORWARD);
        return vec3<f32>(select(either, infinity, weighs > 0.0), 0.0, p_less_q);
    }
    if (COMPILED_DIVERGENCE == DIVERGENCE_FORWARD) {
        let far = pair.p * pair.d - p_less_q;
        return vec3<f32>(select(far, pair.p * exp_excess(-pair.d), near), 0.0, p_less_q);
    }
    if (COMPILED_DIVERGENCE == DIVERGENCE_REVERSE) {
        let far = -pair.q * pair.d + p_less_q;
        return vec3<f32>(select(far, pair.q * exp_excess(pair.d), near), 0.0, p_less_q);
    }
    let logs = log_middles(pair.d);
    let p_term = select(-pair.p * logs.x, pair.p * log_excess(0.5 * expm1f(-pair.d)), near);
    let q_term = select(-pair.q * logs.y, pair.q * log_excess(0.5 * expm1f(pair.d)), near);
    // Near, p·(m/p − 1) and q·(m/q − 1) are added to the two, and their sum is 0; far, they are not.
    let q_divergence = q_term - select(0.0, 0.5 * p_less_q, near);
    return vec3<f32>(p_term + q_term, q_divergence, p_less_q);
}

fn row_outcome(row: Row) -> Outcome {
    let factor = params.temperature * params.temperature
        * select(1.0, 0.5, COMPILED_DIVERGENCE == DIVERGENCE_JENSEN_SHANNON);
    return Outcome(factor * row.middle.x, vec3<f32>());
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    let pair = pair_of(row, cell);
    // Without what rounding left in the norms.
    let d = pair.d - row.middle.z;
    if (COMPILED_DIVERGENCE == DIVERGENCE_FORWARD) {
        return select(pair.q - pair.p, pair.p * expm1f(-clamp(d, -NEAR, NEAR)), abs(d) < NEAR);
    }
    if (is_masked(cell.logit)) {
        return 0.0;
    }
    if (COMPILED_DIVERGENCE == DIVERGENCE_REVERSE) {
        return pair.q * (-d - row.middle.x);
    }
    return 0.5 * pair.q * (-log_middles(d).y - row.middle.y);
}
