fn row_outcome(row: Row) -> Outcome {
    let log_prob = target_log_prob(row);
    return of_log_prob(log_prob, 1.0, log_prob);
}
