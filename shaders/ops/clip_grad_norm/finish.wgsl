// The norm of all gradients, from the workgroups' shares, and what the gradients are multiplied with.

// `call.norm`.
const NORM_L1: u32 = 0u;
const NORM_L2: u32 = 1u;

// The norm of finite values.
fn norm_of(sums: vec3<f32>, largest: u32) -> f32 {
    if (call.norm == NORM_L1) {
        return sums.y;
    }
    return select(bitcast<f32>(largest >> 1u), root_of_squares(sums), call.norm == NORM_L2);
}

// What gradients of this norm are multiplied with.
fn coefficient_of(norm: f32) -> f32 {
    if (is_finite(norm)) {
        return min(call.max_norm / (norm + 1e-6), 1.0);
    }
    if (call.scales_nonfinite == 0u) {
        return 1.0;
    }
    return select(0.0, norm, is_nan(norm));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn finish_norm(thread: Thread) {
    var sums = vec3<f32>();
    var largest = 0u;
    var first = NOWHERE;
    for (var i = thread.lane; i < call.partials; i += WORKGROUP_SIZE) {
        let partial = norms.partials[i];
        sums += vec3<f32>(partial.low, partial.middle, partial.high);
        largest = max(largest, partial.largest);
        if (partial.largest >= INFINITE) {
            first = min(first, i);
        }
    }
    let low = reduce_add(thread, sums.x);
    let middle = reduce_add(thread, sums.y);
    let high = reduce_add(thread, sums.z);
    largest = ~reduce_min_u32(thread, ~largest);
    first = reduce_min_u32(thread, first);
    if (thread.lane == 0u) {
        var norm = norm_of(vec3<f32>(low, middle, high), largest);
        // Without their sign, the bits of what is not finite are a NaN or infinity themselves; and a norm that finite
        // values have beyond f32 is infinite. No constant can be.
        if (largest >= INFINITE) {
            norm = bitcast<f32>(largest >> 1u);
        } else if (!is_finite(norm)) {
            norm = bitcast<f32>((largest & 0u) | (INFINITE >> 1u));
        }
        norms.norm = norm;
        norms.coefficient = coefficient_of(norm);
        norms.first_nonfinite = first;
        total_norm[0] = norm;
    }
}
