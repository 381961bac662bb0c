// The outcomes of a row, by a workgroup: the classes that the teacher gives, and where there is a bucket, before them
// all others as one. Of each a logit of the student and one of the teacher, of whose softmax the probabilities are. The
// student's are measured from the largest one that is given: so differences keep their digits.
//
// Joined to outcomes.wgsl.

// How a row stands besides 0, out of range; what passes it over is no error.
const FINE: u32 = 1u;
const PASSED_OVER: u32 = 2u;

// Marks a class of the row whose bits begin there; whether it has been marked already.
fn is_marked(bits: u32, column: u32) -> bool {
    let bit = 1u << (column % 32u);
    return (atomicOr(&left_out[bits + column / 32u], bit) & bit) != 0u;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn gather(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let row = call.first_row + workgroup.x;
    let bits = call.left_out_base + workgroup.x * call.left_out_words;
    for (var word = thread.lane; word < call.left_out_words; word += WORKGROUP_SIZE) {
        atomicStore(&left_out[bits + word], 0u);
    }
    before_overwriting();

    let label = load_target(row);
    let is_passed_over = !is_kept(row) || (HAS_TARGET && is_ignored(label));
    let given = select(call.given, 0u, is_passed_over);
    let first_given = call.given_base + workgroup.x * call.given;
    let first_class = call.class_base + workgroup.x * call.classes;
    var offending = select(0u, 1u, HAS_TARGET && (label < 0 || u32(label) >= call.classes));
    // The likeliest class of the teacher's, and the largest logit.
    var likeliest = NOWHERE;
    var log_p = LOWEST;
    var largest = LOWEST;
    for (var number = thread.lane; number < given; number += WORKGROUP_SIZE) {
        let column = load_teacher_indices(first_given + number);
        let own = load_teacher_log_probs(first_given + number);
        if (column < 0 || u32(column) >= call.classes || !is_log_probability(own)) {
            offending += 1u;
        } else if (is_marked(bits, u32(column))) {
            offending += 1u;
        } else {
            largest = max(largest, load_logits(first_class + u32(column)));
        }
        if (likeliest == NOWHERE || own > log_p) {
            likeliest = number;
            log_p = max(own, LOWEST);
        }
    }
    offending = reduce_add_u32(thread, offending);
    largest = reduce_max(thread, largest);
    let largest_log_p = reduce_max(thread, log_p);
    likeliest = reduce_min_u32(thread, select(NOWHERE, likeliest, log_p == largest_log_p));
    let origin = select(0.0, largest, is_finite(largest) && largest > LOWEST);

    // What the teacher gives to all but its likeliest class.
    let counted = select(given, 0u, offending > 0u);
    var others = 0.0;
    for (var block = thread.lane; block < counted; block += BLOCK * WORKGROUP_SIZE) {
        let end = min(block + BLOCK * WORKGROUP_SIZE, counted);
        var block_others = 0.0;
        for (var number = block; number < end; number += WORKGROUP_SIZE) {
            let column = u32(load_teacher_indices(first_given + number));
            let own = load_teacher_log_probs(first_given + number);
            student[outcome_of(number, row)] = load_logits(first_class + column) - origin;
            teacher[outcome_of(number, row)] = params.temperature * own;
            block_others += select(expf(own), 0.0, number == likeliest);
        }
        others += block_others;
    }
    if (BUCKET) {
        others = reduce_add(thread, others);
    }
    if (thread.lane == 0u) {
        origins[row] = origin;
        standing[row] = select(select(FINE, 0u, offending > 0u), PASSED_OVER, is_passed_over);
        if (BUCKET) {
            // 1 less the likeliest one's, without what 1 would cost it. Rounding may leave less than nothing.
            let rest = -expm1f(largest_log_p) - others;
            let logit = params.temperature * logf(max(rest, 1e-37));
            teacher[row] = bitcast<f32>(select(bitcast<u32>(logit), 0xff800000u, rest <= 0.0));
        }
    }
}
