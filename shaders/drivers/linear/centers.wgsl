// Classes of several centres: a class has the logit of its nearest one, the first of equal ones, which alone gets its
// gradient.
//
// Joined to what interface.wgsl lists.

fn logit_of_center(row: u32, center: u32) -> f32 {
    let place = row * call.center_stride + center;
    return center_logits[place / 4u][place % 4u];
}

// The centre of a class that is nearest to a row; the first of which that is not known, where there is such.
fn nearest(row: u32, label: u32) -> u32 {
    var best = label * call.centers;
    var largest = logit_of_center(row, best);
    for (var center = best + 1u; center < (label + 1u) * call.centers; center++) {
        let value = logit_of_center(row, center);
        if (!is_nan(largest) && (is_nan(value) || value > largest)) {
            best = center;
            largest = value;
        }
    }
    return best;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn merge_centers(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    let quads = call.logit_stride / 4u;
    for (var i = first + thread.lane; i < end; i += WORKGROUP_SIZE) {
        let row = i / quads;
        let label = 4u * (i % quads);
        var values = vec4<f32>();
        for (var j = 0u; j < 4u; j++) {
            if (label + j < call.classes) {
                values[j] = logit_of_center(row, nearest(row, label + j));
            }
        }
        logits[i] = values;
    }
}

// Lanes take classes, four of which have whole quads of centres.
@compute @workgroup_size(WORKGROUP_SIZE)
fn spread_centers(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    let quads = call.logit_stride / 4u;
    for (var i = first + thread.lane; i < end; i += WORKGROUP_SIZE) {
        let row = i / quads;
        let label = 4u * (i % quads);
        let gradients = logits[i];
        for (var j = 0u; j < 4u; j++) {
            if (label + j < call.classes) {
                let winner = nearest(row, label + j);
                for (var center = (label + j) * call.centers; center < (label + j + 1u) * call.centers; center++) {
                    let place = row * call.center_stride + center;
                    center_logits[place / 4u][place % 4u] = select(0.0, gradients[j], center == winner);
                }
            }
        }
    }
}
