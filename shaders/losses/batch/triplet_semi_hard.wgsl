// triplet_semi_hard
