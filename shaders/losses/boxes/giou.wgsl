// 1 − IoU and the share of the hull that neither box covers: (hull − union) / (hull + eps).
fn box_outcome(prediction: vec4<f32>, t: vec4<f32>) -> Outcome {
    let pair = pair_of(prediction, t);
    let iou = iou_outcome(pair);
    let inverse = 1.0 / (area(pair.hull) + params.eps);
    // Where boxes overlap, that is in the hull's corners.
    let corners = dot(pair.outer, pair.target_outer.yx);
    let apart = area(pair.hull) - area(pair.size) - area(pair.target_size);
    let ratio = select(apart, corners, pair.overlap) * inverse;
    // The slope is that of the quotient, without the products that cancel in it. What each box has beyond the
    // intersection, across the way that the side moves:
    let across = select(pair.size, pair.outer, pair.overlap).yxyx;
    let target_across = select(pair.target_size, pair.target_outer, pair.overlap).yxyx;
    let outer = pair.of_inner * pair.outer.xyxy + pair.of_hull * pair.target_outer.xyxy;
    let turn = pair.of_inner * across - pair.of_hull * target_across;
    // Areas are divided by the hull's before they are multiplied with a length.
    let shares = inverse * (across * outer + pair.target_size.xyxy * turn);
    let of_eps = inverse * (params.eps * (pair.of_inner * across - pair.of_hull * pair.target_outer.yxyx));
    return Outcome(iou.loss + ratio, iou.inward + (inverse * pair.hull.yxyx) * shares + inverse * of_eps);
}
