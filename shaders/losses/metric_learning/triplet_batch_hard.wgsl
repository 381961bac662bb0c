// The loss of d(a,p) − d(a,n), and its derivative.
fn hardest_outcome(gap: f32) -> vec2<f32> {
    if (params.soft_margin != 0u) {
        return softplus_and_slope(gap);
    }
    let violation = gap + params.margin;
    return select(vec2<f32>(), vec2<f32>(violation, 1.0), violation > 0.0);
}
