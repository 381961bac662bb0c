const FOUR_OVER_PI_SQUARED: f32 = 0.405284735;

// diou + α·v: v is 4/π² times the square of the angle between the diagonals, tan θ = w/(h + eps); α is constant in the
// gradient.
fn box_outcome(prediction: vec4<f32>, t: vec4<f32>) -> Outcome {
    let pair = pair_of(prediction, t);
    let iou = iou_outcome(pair);
    let diou = diou_outcome(pair, iou);
    let size = vec2<f32>(pair.size.x, pair.size.y + params.eps);
    let target_size = vec2<f32>(pair.target_size.x, pair.target_size.y + params.eps);
    // One arctangent for the difference of two. The quotient of a prediction upside down is that of both turned.
    let upright = select(size, -size, size.y < 0.0);
    let angle = atan2f(
        target_size.x * upright.y - upright.x * target_size.y,
        target_size.y * upright.y + target_size.x * upright.x,
    );
    let v = FOUR_OVER_PI_SQUARED * angle * angle;
    let alpha = v / (iou.loss + v + params.eps);
    // A box without width and height has no angle, as atan2f says it, and no slope.
    let square = dot(size, size);
    let inverse = select(1.0 / square, 0.0, square == 0.0);
    let slope = 2.0 * FOUR_OVER_PI_SQUARED * alpha * angle * inverse * vec2<f32>(size.y, -size.x);
    return Outcome(diou.loss + alpha * v, diou.inward + slope.xyxy);
}
