// Σ_c q_c·(lse − x_c) with q the smoothed target times the class's weight. The sums over the classes are Σ q_c and
// Σ q_c·(maximum − x_c), whose terms have one sign.
const SUMS: bool = true;

fn share_of(cell: Cell) -> f32 {
    // Smoothing leaves masked classes out.
    let spread = select(params.label_smoothing / f32(call.classes), 0.0, is_masked(cell.logit));
    return cell.weight * (as_probability(cell.second) * (1.0 - params.label_smoothing) + spread);
}

fn class_sums(row: Row, cell: Cell) -> vec2<f32> {
    let share = share_of(cell);
    // A masked class that is wanted, at an infinite distance.
    let infinity = bitcast<f32>(bitcast<u32>(cell.logit) & 0x7f800000u);
    return vec2<f32>(share, select(0.0, infinity, is_masked(cell.logit) && share > 0.0));
}

fn shift_sums(sums: vec2<f32>, rise: f32, shrink: f32) -> vec2<f32> {
    return vec2<f32>(sums.x, sums.y + sums.x * rise);
}

fn row_outcome(row: Row) -> Outcome {
    let sums = row.state.sums;
    return Outcome(sums.y + sums.x * row.log_norm, vec3<f32>());
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    let mass = row.state.sums.x;
    let share = share_of(cell);
    // The largest probability less 1 would cancel where it is nearly 1.
    let is_sure = cell.column == row.state.first.column && row.inverse_norm > 0.5;
    let sure = (mass - share) - mass * (row.state.first.others * row.inverse_norm);
    return select(mass * exact_probability_of(row, cell) - share, sure, is_sure);
}
