// A student's softmax Q beside a teacher's P, both at a temperature T: of each class p and q, and how far apart they
// are, with digits that p and q have lost where they nearly agree.

const SEES: bool = true;

fn distance_of(x: f32, y: f32) -> f32 {
    return abs(x - y) / params.temperature;
}

fn seen_logit(x: f32) -> f32 {
    return x / params.temperature;
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

fn is_near(pair: Pair) -> bool {
    return abs(pair.d) < NEAR;
}

// p − q of a class that neither masks.
fn p_less_q_of(pair: Pair) -> f32 {
    return select(pair.p - pair.q, -pair.p * expm1f(-clamp(pair.d, -NEAR, NEAR)), is_near(pair));
}
