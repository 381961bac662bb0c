fn item_outcome(row: Row, index: u32) -> Outcome {
    let log_prob = target_log_prob(row);
    let old = load_old_log_prob(index);
    let reference = load_ref_log_prob(index);
    let token = policy_loss(log_prob, load_advantage(index), old, reference, load_importance(index));
    return of_log_prob(token.x, token.y, log_prob);
}
