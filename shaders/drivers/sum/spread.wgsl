// What the gradients of each layer are multiplied with: its weight, times the upstream, where a binding may start.

@compute @workgroup_size(WORKGROUP_SIZE)
fn spread(thread: Thread) {
    for (var part = thread.lane; part < call.parts; part += WORKGROUP_SIZE) {
        factors[part * call.factor_stride] = load_weight(part) * load_upstream(0u);
    }
}
