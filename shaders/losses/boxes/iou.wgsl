fn box_outcome(prediction: vec4<f32>, t: vec4<f32>) -> Outcome {
    return iou_outcome(pair_of(prediction, t));
}
