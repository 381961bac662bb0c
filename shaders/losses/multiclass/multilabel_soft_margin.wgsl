// (1/C)·Σ_c w_c·[t·softplus(−x) + (1 − t)·softplus(x)]; the brackets are max(x, 0) − t·x + log1p(exp(−|x|)).
const SUMS: bool = true;

fn class_sums(row: Row, cell: Cell) -> vec2<f32> {
    let x = cell.logit;
    let t = as_probability(cell.second);
    let linear = select(-t * x, (1.0 - t) * x, x > 0.0);
    let loss = linear + log1pf(exp_nonpositive(-abs(x)));
    // A class that is certainly absent and not wanted.
    return vec2<f32>(select(times(cell.weight, loss), 0.0, is_masked(x) && t == 0.0), 0.0);
}

fn shift_sums(sums: vec2<f32>, rise: f32, shrink: f32) -> vec2<f32> {
    return sums;
}

fn row_outcome(row: Row) -> Outcome {
    return Outcome(row.state.sums.x / f32(call.classes), vec3<f32>());
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    let t = as_probability(cell.second);
    // σ(x) − t, which would cancel where the target is nearly met.
    let difference = (1.0 - t) * sigmoid(cell.logit) - t * sigmoid(-cell.logit);
    return cell.weight * difference / f32(call.classes);
}
