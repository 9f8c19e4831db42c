/* arm/operation_routes.h - how an operation is, whoever works on it (azure-api.md 4). */
#ifndef ARM_OPERATION_ROUTES_H
#define ARM_OPERATION_ROUTES_H

struct arm_call;

/* Named operationsStatus or asyncOperations: 200 at any time. */
void arm_operation_status(const struct arm_call *call);
/* Named operationResults: 202 until it has ended. */
void arm_operation_result(const struct arm_call *call);

#endif
