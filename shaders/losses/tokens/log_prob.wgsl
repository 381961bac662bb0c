// Losses of the log-probability of a row's target, of logits divided by a temperature: what a loss makes of it is
// `of_log_prob`.
const SEES: bool = true;

fn distance_of(x: f32, y: f32) -> f32 {
    return abs(x - y) / params.temperature;
}

fn seen_logit(x: f32) -> f32 {
    return x / params.temperature;
}

fn slope_of(x: f32) -> f32 {
    return 1.0 / params.temperature;
}

fn target_log_prob(row: Row) -> f32 {
    return -distance_of(row.target_logit, row.state.first.maximum) - row.log_norm;
}

// What a slope of the log-probability is for a logit that has this share in it. An infinite one pulls no logit whose
// share is 0, or what adapters may take for that; one that is NaN shows in all.
fn pulled(share: f32, slope: f32) -> f32 {
    return select(share * slope, 0.0, is_negligible(share) && !is_nan(slope));
}

// A row's loss by its derivative `slope` with respect to the log-probability, whose derivatives by the logits are
// [c = y] − p_c: what each probability is multiplied with, and the gradient of the target's own logit.
fn of_log_prob(loss: f32, slope: f32, log_prob: f32) -> Outcome {
    return Outcome(loss, vec3<f32>(slope, pulled(-expm1f(log_prob), slope), 0.0));
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    return select(pulled(-probability_of(row, cell), row.factors.x), row.factors.y, cell.column == row.label);
}
