// Adds up what the parts of a gathering left for each row.

@compute @workgroup_size(WORKGROUP_SIZE)
fn join(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let receiver = workgroup.x;
    let row = call.first_receiver + receiver;
    for (var quad = thread.lane; quad < call.quads; quad += WORKGROUP_SIZE) {
        var total = select(vec4<f32>(), sums[row * call.quads + quad], call.adds != 0u);
        for (var part = 0u; part < call.parts; part++) {
            total += sums[(call.first_sum + part * call.receivers + receiver) * call.quads + quad];
        }
        sums[row * call.quads + quad] = total;
    }
    if (COSINE && thread.lane == 0u) {
        let place = call.first_radial + row;
        var total = select(0.0, sums[place].x, call.adds != 0u);
        for (var part = 0u; part < call.parts; part++) {
            let source = call.first_radial + call.first_sum + part * call.receivers + receiver;
            total += sums[source].x;
        }
        sums[place] = vec4<f32>(total);
    }
}
