// Two boxes, and the terms that losses of boxes have in common.
//
// A box has the corners x1 y1 x2 y2. Nearly equal boxes have a loss and gradients far smaller than their areas, so
// nothing here is a difference of areas: all comes from differences of corners, which are exact or nearly so, in sums
// of terms of one sign. A gradient is taken by the sides of the prediction as they move inward, where all four have the
// same formula; the driver turns it to the corners.

// The loss of one item and its gradient by the four sides.
struct Outcome {
    loss: f32,
    inward: vec4<f32>,
}

struct Pair {
    // Widths and heights: of the prediction and the target, of the hull, and of the intersection where they overlap.
    size: vec2<f32>,
    target_size: vec2<f32>,
    hull: vec2<f32>,
    inner: vec2<f32>,
    // How much of the hull lies beyond the target, in x and in y, and how much beyond the prediction.
    outer: vec2<f32>,
    target_outer: vec2<f32>,
    // How far each side of the prediction lies outside that of the target.
    reach: vec4<f32>,
    // The shares that each side of the prediction has in that of the hull, and in that of the intersection: 0 or 1, and
    // halves in a tie.
    of_hull: vec4<f32>,
    of_inner: vec4<f32>,
    overlap: bool,
}

fn pair_of(prediction: vec4<f32>, t: vec4<f32>) -> Pair {
    let low = max(prediction.xy, t.xy);
    let high = min(prediction.zw, t.zw);
    let reach = vec4<f32>(t.xy - prediction.xy, prediction.zw - t.zw);
    let out = max(reach, vec4<f32>());
    let back = max(-reach, vec4<f32>());
    let of_hull = 0.5 + 0.5 * sign(reach);
    return Pair(
        prediction.zw - prediction.xy,
        t.zw - t.xy,
        max(prediction.zw, t.zw) - min(prediction.xy, t.xy),
        high - low,
        out.xy + out.zw,
        back.xy + back.zw,
        reach,
        of_hull,
        1.0 - of_hull,
        all(low < high),
    );
}

fn area(size: vec2<f32>) -> f32 {
    return size.x * size.y;
}

// 1 − IoU = (union − intersection + eps) / (union + eps).
fn iou_outcome(pair: Pair) -> Outcome {
    // What each box has beyond the intersection in x, and in y, over its whole height or width.
    let beyond = pair.outer * pair.size.yx + pair.target_outer * pair.target_size.yx + params.eps;
    let rest = beyond.x + pair.inner.x * (pair.outer.y + pair.target_outer.y);
    let inverse = 1.0 / (rest + area(pair.inner));
    // With the intersection's width w and height h, the slope by a side x is h·(beyond + w·target height) where the
    // side is the intersection's, and −h·w·prediction height where it is not. The heights are h and what is beyond, so
    // that of halves of both h is gone.
    let turn = (pair.of_inner - pair.of_hull) * pair.inner.yxyx
        + (pair.of_inner * pair.target_outer.yxyx - pair.of_hull * pair.outer.yxyx);
    let slope = pair.of_inner * beyond.xyxy + pair.inner.xyxy * turn;
    // Boxes that do not overlap are all the same to it.
    let loss = select(1.0, rest * inverse, pair.overlap);
    return Outcome(loss, select(vec4<f32>(), inverse * pair.inner.yxyx * (inverse * slope), pair.overlap));
}

// 1 − IoU + ρ²/(c² + eps), with ρ the distance of the centres and c the hull's diagonal.
fn diou_outcome(pair: Pair, iou: Outcome) -> Outcome {
    let between = 0.5 * (pair.reach.zw - pair.reach.xy);
    let inverse = 1.0 / (dot(pair.hull, pair.hull) + params.eps);
    let ratio = dot(between, between) * inverse;
    let slope = vec4<f32>(between, -between) + 2.0 * ratio * pair.of_hull * pair.hull.xyxy;
    return Outcome(iou.loss + ratio, iou.inward + inverse * slope);
}
