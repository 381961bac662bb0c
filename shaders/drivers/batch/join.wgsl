// Adds up what the parts of a gathering left for each row.

@compute @workgroup_size(WORKGROUP_SIZE)
fn join(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let receiver = workgroup.x;
    let row = params.first_receiver + receiver;
    for (var quad = thread.lane; quad < params.quads; quad += WORKGROUP_SIZE) {
        var total = select(vec4<f32>(), sums[row * params.quads + quad], params.adds != 0u);
        for (var part = 0u; part < params.parts; part++) {
            total += sums[(params.first_sum + part * params.receivers + receiver) * params.quads + quad];
        }
        sums[row * params.quads + quad] = total;
    }
    if (COSINE && thread.lane == 0u) {
        let place = params.first_radial + row;
        var total = select(0.0, sums[place / 4u][place % 4u], params.adds != 0u);
        for (var part = 0u; part < params.parts; part++) {
            let source = params.first_radial + params.first_sum + part * params.receivers + receiver;
            total += sums[source / 4u][source % 4u];
        }
        sums[place / 4u][place % 4u] = total;
    }
}
