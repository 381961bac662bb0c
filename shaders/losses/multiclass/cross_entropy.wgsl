// lse − x_y; log_norm keeps its relative accuracy where one class is nearly certain.
fn row_loss(row: Row) -> f32 {
    return (row.maximum - row.target_logit) + row.log_norm;
}

// softmax(x)_c − 1[c = y]; for the true class as expm1(log p), because 1 − p cancels where p is nearly 1.
fn row_gradient(row: Row, logit: f32, is_target: bool) -> f32 {
    let shifted = logit - row.maximum;
    if (is_target) {
        return expm1f(shifted - row.log_norm);
    }
    return exp_nonpositive(shifted) * row.inverse_norm;
}
