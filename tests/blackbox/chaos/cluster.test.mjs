// Random faults on a Redis Cluster: what is lost was a dead master's alone, and everybody is told.
import { only } from '../lib/harness.mjs';
import { testFaults } from '../lib/chaos.mjs';

only('single', 'it starts servers of its own');
testFaults('cluster', { seed: 19, faults: 4, has: ['master killed'] });
