fn loss_and_grad(value: f32, old_value: f32, returns: f32) -> vec2<f32> {
    let change = value - old_value;
    let e = value - returns;
    let clipped = old_value + clamp(change, -params.clip, params.clip) - returns;
    // Within the clip both are the same, and beyond it the clipped one does not move with the value. A value that is
    // infinite is as far off as can be, or it is not known how far.
    let is_free = abs(change) <= params.clip || is_nan(e + clipped) || abs(e) > abs(clipped);
    let larger = select(abs(clipped), abs(e), is_free);
    let share = select(select(0.0, 0.5, abs(e) == abs(clipped)), 1.0, is_free);
    return vec2<f32>(params.factor * larger * larger, times(share, 2.0 * params.factor * e));
}
