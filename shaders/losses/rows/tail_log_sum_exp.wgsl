// T·log Σ exp((x − origin)/T), whose gradient is softmax(x/T). From an origin next to the logits that are left out, it
// keeps its digits beside theirs.

const SEES: bool = true;

fn distance_of(x: f32, y: f32) -> f32 {
    return abs(x - y) / params.temperature;
}

fn seen_logit(x: f32) -> f32 {
    return x / params.temperature;
}

// The factor of the logarithm has taken 1/T away.
fn slope_of(x: f32) -> f32 {
    return 1.0;
}

fn item_outcome(row: Row, index: u32) -> Outcome {
    let maximum = row.state.first.maximum;
    let value = (maximum - load_origin(index)) + params.temperature * row.log_norm;
    // Of a row with every class masked nothing is left.
    return Outcome(bitcast<f32>(select(bitcast<u32>(value), 0xff800000u, maximum == LOWEST)), vec3<f32>());
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    return probability_of(row, cell);
}
