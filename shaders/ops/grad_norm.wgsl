// A step of the weights of tasks towards gradients whose norms are as far apart as the tasks' rates of training.

struct Balance {
    // Σ|G − target|.
    loss: f32,
    // Tasks with a value that is not allowed; the first of them, and which of its inputs that is.
    invalid: u32,
    first_invalid: u32,
    input: u32,
}

// Any weight beyond is all that there is: with this their sum is still an f32.
const MOST: f32 = 1e30;

// A finite number above 0, which an adapter does not take for 0.
fn is_positive(x: f32) -> bool {
    return x > 0.0 && is_finite(x) && !is_negligible(x);
}

// Which of a task's inputs is not allowed, in the order of their names; 4 where all are.
fn invalid_input(task: u32) -> u32 {
    if (!is_finite(losses[task]) || losses[task] < 0.0) {
        return 0u;
    }
    if (!is_positive(initial_losses[task])) {
        return 1u;
    }
    if (!is_positive(gradient_norms[task])) {
        return 2u;
    }
    return select(3u, 4u, is_positive(weights[task]));
}

// How much of its loss a task still has.
fn ratio_of(task: u32) -> f32 {
    return losses[task] / initial_losses[task];
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn balance_tasks(thread: Thread) {
    var norms = 0.0;
    var ratios = 0.0;
    var bad_tasks = 0u;
    var first_bad = NOWHERE;
    for (var block = 0u; block < call.tasks; block += BLOCK * WORKGROUP_SIZE) {
        let end = min(block + BLOCK * WORKGROUP_SIZE, call.tasks);
        var block_norms = 0.0;
        var block_ratios = 0.0;
        for (var task = block + thread.lane; task < end; task += WORKGROUP_SIZE) {
            let is_bad = invalid_input(task) < 4u;
            bad_tasks += select(0u, 1u, is_bad);
            first_bad = min(first_bad, select(NOWHERE, task, is_bad));
            block_norms += weights[task] * gradient_norms[task];
            block_ratios += ratio_of(task);
        }
        norms += block_norms;
        ratios += block_ratios;
    }
    let count = f32(call.tasks);
    let mean_norm = reduce_add(thread, norms) / count;
    let mean_ratio = reduce_add(thread, ratios) / count;
    bad_tasks = reduce_add_u32(thread, bad_tasks);
    first_bad = reduce_min_u32(thread, first_bad);
    // Sums of what is allowed may be beyond f32: then the loss says so, and no weight is touched.
    let steps = bad_tasks == 0u && is_finite(mean_norm) && is_finite(mean_ratio);

    var loss = 0.0;
    var total = 0.0;
    for (var block = 0u; block < call.tasks; block += BLOCK * WORKGROUP_SIZE) {
        let end = min(block + BLOCK * WORKGROUP_SIZE, call.tasks);
        var block_loss = 0.0;
        var block_total = 0.0;
        for (var task = block + thread.lane; task < end; task += WORKGROUP_SIZE) {
            // Where no task has a loss left, all have trained alike.
            let rate = select(ratio_of(task) / mean_ratio, 1.0, is_negligible(mean_ratio));
            let gap = weights[task] * gradient_norms[task] - times(mean_norm, powf(rate, call.alpha));
            let slope = sign(gap) * gradient_norms[task];
            let stepped = clamp(weights[task] - call.learning_rate * slope, call.least, MOST);
            block_loss += abs(gap);
            block_total += stepped;
            put_gradient(task, select(0.0, slope, steps));
            if (steps) {
                weights[task] = stepped;
            }
        }
        loss += block_loss;
        total += block_total;
    }
    loss = reduce_add(thread, loss);
    total = reduce_add(thread, total);
    let scale = count / total;
    for (var task = thread.lane; task < call.tasks; task += WORKGROUP_SIZE) {
        if (steps) {
            weights[task] *= scale;
        }
    }
    if (thread.lane == 0u) {
        loss = select(mean_norm + mean_ratio, loss, steps);
        balance.loss = select(loss, 0.0, bad_tasks > 0u);
        balance.invalid = bad_tasks;
        balance.first_invalid = first_bad;
        balance.input = invalid_input(min(first_bad, call.tasks - 1u));
        total_loss[0] = balance.loss;
    }
}
