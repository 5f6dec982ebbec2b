// Nothing acknowledged is ever lost, whatever dies: random faults with one Redis and its replica.
import { testFaults } from '../lib/chaos.mjs';

testFaults('single', { seed: 7, faults: 10 });
