// Replaces each value of a tensor, four at a time: `mapped` gives four values for four. What is behind the last one
// stays.
//
// Joined to a file with `argument`, `is_identity` and `mapped`, and to `load_values(quad)`,
// `store_values(quad, values)` and `put_value(index, value)`.

@compute @workgroup_size(WORKGROUP_SIZE)
fn map(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let given = argument();
    if (is_identity(given)) {
        return;
    }
    let first = workgroup.x * call.span;
    let whole = call.length / 4u;
    for (var quad = first + thread.lane; quad < min(first + call.span, whole); quad += WORKGROUP_SIZE) {
        store_values(quad, mapped(load_values(quad), given));
    }
    let rest = call.length - 4u * whole;
    if (rest > 0u && whole >= first && whole < first + call.span && thread.lane == 0u) {
        let values = mapped(load_values(whole), given);
        put_value(4u * whole, values.x);
        if (rest > 1u) {
            put_value(4u * whole + 1u, values.y);
        }
        if (rest > 2u) {
            put_value(4u * whole + 2u, values.z);
        }
    }
}
