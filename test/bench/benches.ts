import type { Bench } from './row.ts'
import { allocateBatchBench } from './rows/allocate-batch.ts'
import { allocateOneBench } from './rows/allocate-one.ts'
import { allocateSdkBench } from './rows/allocate-sdk.ts'
import { allocateUnaryBench } from './rows/allocate-unary.ts'
import { costBench } from './rows/cost.ts'
import { fanOutBench } from './rows/fan-out.ts'
import { growthBench } from './rows/growth.ts'
import { idSpaceBench } from './rows/id-space.ts'
import { idleStreamBench } from './rows/idle-stream.ts'
import { latencyBench } from './rows/latency.ts'
import { loopDelayBench } from './rows/loop-delay.ts'
import { memoryBench } from './rows/memory.ts'
import { noticeLatencyBench } from './rows/notice-latency.ts'
import { restartBench } from './rows/restart.ts'
import { scaleBench } from './rows/scale.ts'
import { startUpBench } from './rows/start-up.ts'
import { tenantsBench } from './rows/tenants.ts'
import { tokensBench } from './rows/tokens.ts'

/** All of them, in the order in which they run and are printed. */
export const BENCHES: readonly Bench[] = [
  allocateUnaryBench,
  allocateOneBench,
  allocateSdkBench,
  allocateBatchBench,
  idSpaceBench,
  memoryBench,
  restartBench,
  fanOutBench,
  tokensBench,
  idleStreamBench,
  noticeLatencyBench,
  loopDelayBench,
  growthBench,
  tenantsBench,
  startUpBench,
  scaleBench,
  latencyBench,
  costBench,
]
