// lse − x_y; log_norm keeps its relative accuracy where one class is nearly certain.
fn row_loss(row: Row) -> f32 {
    return (row.maximum - row.target_logit) + row.log_norm;
}

// softmax(x)_y − 1 as expm1(log p), because 1 − p cancels where p is nearly 1.
fn target_gradient(row: Row) -> f32 {
    return expm1f((row.target_logit - row.maximum) - row.log_norm);
}

// softmax(x)_c.
fn logit_gradient(row: Row, logit: f32) -> f32 {
    return exp_nonpositive(logit - row.maximum) * row.inverse_norm;
}
