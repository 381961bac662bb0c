fn box_outcome(prediction: vec4<f32>, t: vec4<f32>) -> Outcome {
    let pair = pair_of(prediction, t);
    return diou_outcome(pair, iou_outcome(pair));
}
