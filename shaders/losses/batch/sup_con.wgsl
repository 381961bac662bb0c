// sup_con
