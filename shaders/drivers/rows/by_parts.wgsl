// Row losses, several workgroups a row: for few rows of many classes, and for whatever the other row drivers cannot
// take. Each step is a dispatch of its own: the states of the parts, the rows joined from them, and the gradients.
// `rows` holds a record for each row and one for each of its parts.
//
// Joined to rows.wgsl and a walk file; a store_row file gives store_row. Lanes run along the classes where these lie
// side by side, else along the rows.

// The rows and the columns of one workgroup.
struct Part {
    first_row: u32,
    end_row: u32,
    first_column: u32,
    end_column: u32,
    number: u32,
}

fn part_of(workgroup: u32) -> Part {
    let number = workgroup % call.parts;
    let first_row = workgroup / call.parts * call.span;
    let first_column = min(number * call.part_columns, call.classes);
    let end_column = min(first_column + call.part_columns, call.classes);
    return Part(first_row, min(first_row + call.span, call.length), first_column, end_column, number);
}

// Where the record of a row is; those of its parts follow.
fn record(index: u32) -> u32 {
    return index * (call.parts + 1u);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate_parts(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let part = part_of(workgroup.x);
    if (CONTIGUOUS) {
        for (var index = part.first_row; index < part.end_row; index++) {
            let row = begin_row(index, load_target(index));
            let end = min(part.end_column, columns_of(row));
            let state = reduce_state(thread, walk(row, part.first_column, end, thread.lane, WORKGROUP_SIZE));
            if (thread.lane == 0u) {
                rows[record(index) + 1u + part.number].state = state;
            }
        }
    } else {
        for (var index = part.first_row + thread.lane; index < part.end_row; index += WORKGROUP_SIZE) {
            let row = begin_row(index, load_target(index));
            let end = min(part.end_column, columns_of(row));
            rows[record(index) + 1u + part.number].state = walk(row, part.first_column, end, 0u, 1u);
        }
    }
}

// Finishes a row, or where the loss has a second walk, makes it ready for that.
fn join_row(index: u32) {
    let label = load_target(index);
    var row = begin_row(index, label);
    var state = no_state();
    for (var part = 1u; part <= call.parts; part++) {
        state = join(state, rows[record(index) + part].state);
    }
    row = with_state(row, state);
    if (!MIDDLE) {
        row = settle(row, index, label, true);
    }
    rows[record(index)] = row;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn join_rows(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * call.tally_span;
    let end = min(first + call.tally_span, call.length);
    begin_tally();
    for (var index = first + thread.lane; index < end; index += WORKGROUP_SIZE) {
        join_row(index);
    }
    store_tally(thread, workgroup.x);
}

// The second walk, over the same parts.
@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate_middles(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let part = part_of(workgroup.x);
    if (CONTIGUOUS) {
        for (var index = part.first_row; index < part.end_row; index++) {
            let row = rows[record(index)];
            let end = min(part.end_column, columns_of(row));
            let own = walk_middle(row, part.first_column, end, thread.lane, WORKGROUP_SIZE);
            let middle = reduce_middle(thread, own);
            if (thread.lane == 0u) {
                rows[record(index) + 1u + part.number].middle = middle;
            }
        }
    } else {
        for (var index = part.first_row + thread.lane; index < part.end_row; index += WORKGROUP_SIZE) {
            let row = rows[record(index)];
            let end = min(part.end_column, columns_of(row));
            rows[record(index) + 1u + part.number].middle = walk_middle(row, part.first_column, end, 0u, 1u);
        }
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn join_middles(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * call.tally_span;
    let end = min(first + call.tally_span, call.length);
    begin_tally();
    for (var index = first + thread.lane; index < end; index += WORKGROUP_SIZE) {
        var row = rows[record(index)];
        for (var part = 1u; part <= call.parts; part++) {
            row.middle += rows[record(index) + part].middle;
        }
        rows[record(index)] = settle(row, index, load_target(index), true);
    }
    store_tally(thread, workgroup.x);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate_gradients(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let part = part_of(workgroup.x);
    if (CONTIGUOUS) {
        for (var index = part.first_row; index < part.end_row; index++) {
            store_row(thread, rows[record(index)], part.first_column, part.end_column);
        }
    } else {
        for (var index = part.first_row + thread.lane; index < part.end_row; index += WORKGROUP_SIZE) {
            let row = rows[record(index)];
            for (var column = part.first_column; column < part.end_column; column++) {
                store_class(row, column);
            }
        }
    }
}
